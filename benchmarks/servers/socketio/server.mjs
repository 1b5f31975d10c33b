// Socket.IO: rooms as topics. Usage: node server.mjs PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, pingInterval: 60_000 });

io.on("connection", (socket) => {
  socket.on("sub", (topic) => {
    socket.join(topic);
    socket.emit("ok", topic);
  });
  socket.on("pub", (topic, data) => io.to(topic).emit("ev", topic, data));
});

http.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });
