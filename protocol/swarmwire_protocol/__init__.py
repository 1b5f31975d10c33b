"""What every process of Swarmwire agrees on: no I/O, no clock, nothing of what a broker or client does with it.

- `messages`: one typed record for each message, one union for each direction
- `codec`: bytes to messages and back
- `payload`: users' values to JSON and back
- `framing`: messages on a stream of bytes
- `places`: where a broker of this machine is found
- `fifo`: how client and broker meet by FIFOs
- `pipepair`: one transport out of two pipes
- `takesbytes`: protocols that take bytes alone, where the event loop hands out something else
- `cursor`: places in the log
- `topics`: the grammar of topics and patterns, matching, containment
- `versions`: the choice of the version that both sides speak
- `errors`: the table of errors, the table of close codes
- `accelerators`: the busiest small functions, compiled where that is possible (`fallbacks` has them in Python)
- `purity`: leaving what is compiled aside

Import from the modules; the package itself exports nothing.
"""

from .purity import stay_pure

__all__: list[str] = []

stay_pure()  # before anything that could be compiled is imported
