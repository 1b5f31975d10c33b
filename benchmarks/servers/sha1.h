// SHA-1 of a short text in base64: what a WebSocket handshake asks for.
#pragma once
#include <stddef.h>

// `length` below 248 bytes; `result` takes 29.
void sha1_base64(const char *text, size_t length, char *result);
