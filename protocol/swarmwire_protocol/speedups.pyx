# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=False
"""The busiest small functions of the data plane in C; `fallbacks` has the same ones in Python.

Everything here reads `bytes`, which end in a NUL that is not counted. A scan may therefore look at the byte behind
the last one, and no grammar goes on at a NUL, so only reads of many bytes at once ask where the end is.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

__all__ = ["cut_frames", "encode_event", "is_text", "join_frames", "join_prefixed", "scan_publish", "unmask"]

cdef extern from *:
    """
    /* Every byte of a word. */
    #define swarmwire_each(value) ((value) * 0x0101010101010101ULL)

    /* Where in a word its first marked byte is, or 0: then it is to be searched for from there on. */
    #if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define swarmwire_first(marks) (__builtin_ctzll(marks) >> 3)
    #else
    #define swarmwire_first(marks) 0
    #endif
    """
    uint64_t swarmwire_each(uint64_t value) noexcept nogil
    int swarmwire_first(uint64_t marks) noexcept nogil

ctypedef unsigned char byte
ctypedef const unsigned char *Place  # in the text that is read; NULL for "not here"

cdef enum:
    MOST_LEVELS = 100  # of nesting; below the protocol's own limit
    MOST_DIGITS = 17  # in a part of a number: with the next, far from what a double cannot hold
    MOST_EXPONENT_DIGITS = 2
    MOST_ID_DIGITS = 15
    MOST_ID_BYTES = 64
    SHORTEST_MEMBER = 7  # `"id":1}`, and the length of `"topic"`
    DECIMALS = 20  # of a 64-bit number, with its sign

cdef enum Member:
    TYPE = 1
    TOPIC = 2
    DATA = 4
    ID = 8
    KEY = 16

cdef byte[256] _plain  # 1 for what stands for itself in a string
cdef byte[256] _escape  # 1 for what may follow a backslash, but for the u

cdef int _code
for _code in range(256):
    _plain[_code] = _code >= 0x20 and _code != 0x22 and _code != 0x5C
    _escape[_code] = _code in b'"\\/bfnrt'


# ---- JSON, as far as it is plain


cdef inline Place skip_space(Place p) noexcept nogil:
    while p[0] == c' ' or p[0] == c'\t':
        p += 1
    return p


cdef inline uint64_t marked(uint64_t word) noexcept nogil:
    """Zero if eight bytes have no quote, backslash or control character; else its lowest bit is in such a byte."""
    cdef uint64_t quote = (word ^ swarmwire_each(0x22)) - swarmwire_each(1)
    cdef uint64_t backslash = (word ^ swarmwire_each(0x5C)) - swarmwire_each(1)
    return ((word - swarmwire_each(0x20)) | quote | backslash) & ~word & swarmwire_each(0x80)


cdef inline Place plain_end(Place p, Place end) noexcept nogil:
    """The first byte of a string that is not plain."""
    cdef uint64_t word, marks
    while end - p >= 8:
        memcpy(&word, p, 8)
        marks = marked(word)
        if marks:
            p += swarmwire_first(marks)
            break
        p += 8
    while _plain[p[0]]:
        p += 1
    return p


cdef Place string_end(Place p, Place end) noexcept nogil:
    """Behind the string that begins at `p`."""
    if p[0] != c'"':
        return NULL
    p = plain_end(p + 1, end)
    while p[0] == c'\\' and _escape[p[1]]:
        p = plain_end(p + 2, end)
    return p + 1 if p[0] == c'"' else NULL


cdef inline Place digits_end(Place p, int most) noexcept nogil:
    cdef int count = 0
    while c'0' <= p[0] <= c'9':
        count += 1
        p += 1
    return p if 0 < count <= most else NULL


cdef Place number_end(Place p) noexcept nogil:
    """Behind the number that begins at `p`. What follows a leading zero is for the caller to stumble over."""
    if p[0] == c'-':
        p += 1
    p = p + 1 if p[0] == c'0' else digits_end(p, MOST_DIGITS)
    if p != NULL and p[0] == c'.':
        p = digits_end(p + 1, MOST_DIGITS)
    if p != NULL and (p[0] == c'e' or p[0] == c'E'):
        p += 1
        if p[0] == c'+' or p[0] == c'-':
            p += 1
        p = digits_end(p, MOST_EXPONENT_DIGITS)
    return p


cdef inline Place word_end(Place p, Place end, const char *word, int size) noexcept nogil:
    return p + size if end - p >= size and memcmp(p, word, size) == 0 else NULL


cdef inline Place scalar_end(Place p, Place end) noexcept nogil:
    cdef byte first = p[0]
    if first == c'"':
        return string_end(p, end)
    if first == c't':
        return word_end(p, end, b"true", 4)
    if first == c'f':
        return word_end(p, end, b"false", 5)
    if first == c'n':
        return word_end(p, end, b"null", 4)
    return number_end(p)


cdef inline Place colon_end(Place p) noexcept nogil:
    """The value behind the name that ends at `p`."""
    p = skip_space(p)
    return skip_space(p + 1) if p[0] == c':' else NULL


cdef inline Place name_end(Place p, Place end) noexcept nogil:
    """The value behind the name that begins at `p`."""
    p = string_end(p, end)
    if p == NULL:
        return NULL
    return colon_end(p)


cdef Place value_end(Place p, Place end) noexcept nogil:
    """Behind the value that begins at `p`, which is valid JSON as far as there."""
    cdef byte[MOST_LEVELS] closers
    cdef byte closer
    cdef int level = 0
    while True:
        if p[0] == c'{' or p[0] == c'[':
            if level == MOST_LEVELS:
                return NULL
            closer = p[0] + 2  # in ASCII, of both kinds
            p = skip_space(p + 1)
            if p[0] != closer:
                closers[level] = closer
                level += 1
                if closer == c'}':
                    p = name_end(p, end)
                    if p == NULL:
                        return NULL
                continue
            p += 1
        else:
            p = scalar_end(p, end)
            if p == NULL:
                return NULL
        while level:  # a value has ended at p
            p = skip_space(p)
            closer = closers[level - 1]
            if p[0] == c',':
                p = skip_space(p + 1)
                if closer == c'}':
                    p = name_end(p, end)
                    if p == NULL:
                        return NULL
                break
            if p[0] != closer:
                return NULL
            p += 1
            level -= 1
        else:
            return p


# ---- The common publish


cdef struct Scanned:
    Place topic, topic_end
    Place data, data_end
    Place id, id_end  # of a string, without quotes
    Place key, key_end
    int64_t number  # the id, where `id` is NULL


cdef inline Member member_at(Place p, Place end) noexcept nogil:
    """Which member begins at `p`; 0 for any other."""
    if end - p < SHORTEST_MEMBER:
        return <Member>0
    if memcmp(p, b'"type"', 6) == 0:
        return TYPE
    if memcmp(p, b'"topic"', 7) == 0:
        return TOPIC
    if memcmp(p, b'"data"', 6) == 0:
        return DATA
    if memcmp(p, b'"id"', 4) == 0:
        return ID
    if memcmp(p, b'"key"', 5) == 0:
        return KEY
    return <Member>0


cdef inline Place plain_string_end(Place p, Place end) noexcept nogil:
    """Behind the string that begins at `p` and has no escapes."""
    if p[0] != c'"':
        return NULL
    p = plain_end(p + 1, end)
    return p + 1 if p[0] == c'"' else NULL


cdef Place id_end(Place p, Place end, Scanned *found) noexcept nogil:
    cdef Place start = p
    if p[0] == c'"':
        p = plain_string_end(p, end)
        if p == NULL or not 0 < p - start - 2 <= MOST_ID_BYTES or (start[1] == c'b' and start[2] == c':'):
            return NULL
        found.id, found.id_end = start + 1, p - 1
        return p
    p = p + 1 if p[0] == c'0' else digits_end(p, MOST_ID_DIGITS)
    if p != NULL:
        found.number = 0
        while start < p:
            found.number = found.number * 10 + (start[0] - c'0')
            start += 1
    return p


cdef inline int name_size(Member member) noexcept nogil:
    """Bytes of a member's name with its quotes."""
    return 4 if member == ID else 5 if member == KEY else 7 if member == TOPIC else 6


cdef inline Place member_end(Member member, Place p, Place end, Scanned *found) noexcept nogil:
    """Behind the value at `p`, which is this member's."""
    cdef Place start = p
    if member == TYPE:
        return word_end(p, end, b'"publish"', 9)
    if member == TOPIC:
        p = plain_string_end(p, end)
        if p != NULL:
            found.topic, found.topic_end = start + 1, p - 1
        return p
    if member == DATA:
        p = value_end(p, end)
        found.data, found.data_end = start, p
        return p
    if member == KEY:
        p = plain_string_end(p, end)
        if p == NULL or p == start + 2:
            return NULL
        found.key, found.key_end = start + 1, p - 1
        return p
    return id_end(p, end, found)


cdef int scan(Place p, Place end, Scanned *found) noexcept nogil:
    """The members of the message, as a sum; 0 where it is not one to be sure of."""
    cdef int seen = 0
    cdef Member member
    p = skip_space(p)
    if p[0] != c'{':
        return 0
    while True:
        p = skip_space(p + 1)
        member = member_at(p, end)
        if not member or seen & member:
            return 0
        seen |= member
        p = colon_end(p + name_size(member))
        if p != NULL:
            p = member_end(member, p, end, found)
        if p == NULL:
            return 0
        p = skip_space(p)
        if p[0] != c',':
            break
    if p[0] != c'}' or skip_space(p + 1) != end or (seen | ID | KEY) != TYPE | TOPIC | DATA | ID | KEY:
        return 0
    return seen


def scan_publish(bytes raw not None):
    """Topic, data, id and key of a common publish; None for all that must be read in the ordinary way."""
    cdef Scanned found
    cdef Place start = <Place>PyBytes_AS_STRING(raw)
    memset(&found, 0, sizeof(found))
    cdef int seen = scan(start, start + PyBytes_GET_SIZE(raw), &found)
    if not seen:
        return None
    data = PyBytes_FromStringAndSize(<const char *>found.data, found.data_end - found.data)
    try:
        topic = text_of(found.topic, found.topic_end)
        return topic, data, id_of(&found, seen), text_of(found.key, found.key_end) if seen & KEY else None
    except UnicodeDecodeError:
        return None


cdef inline str text_of(Place p, Place end):
    return (<const char *>p)[: end - p].decode("utf-8")


cdef object id_of(Scanned *found, int seen):
    if not seen & ID:
        return None
    if found.id == NULL:
        return found.number
    return text_of(found.id, found.id_end)


# ---- Events


cdef inline char *put(char *at, const char *source, Py_ssize_t size) noexcept nogil:
    memcpy(at, source, size)
    return at + size


cdef inline char *put_bytes(char *at, bytes source) noexcept:
    return put(at, PyBytes_AS_STRING(source), PyBytes_GET_SIZE(source))


cdef int write_decimal(int64_t number, char *text) noexcept nogil:
    """Write a number to the end of `DECIMALS` bytes; returns where it begins."""
    cdef uint64_t rest = <uint64_t>number if number >= 0 else 0 - <uint64_t>number
    cdef int at = DECIMALS
    while True:
        at -= 1
        text[at] = <char>(c'0' + rest % 10)
        rest //= 10
        if not rest:
            break
    if number < 0:
        at -= 1
        text[at] = c'-'
    return at


def encode_event(
    bytes head not None, seq, int64_t ts, bytes origin not None, bytes data not None, bint clear=False
):
    """One event as JSON, from parts that are made once."""
    cdef char[DECIMALS] seq_text
    cdef char[DECIMALS] ts_text
    cdef int seq_at = DECIMALS if seq is None else write_decimal(seq, seq_text)
    cdef int ts_at = write_decimal(ts, ts_text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(head) + PyBytes_GET_SIZE(origin) + PyBytes_GET_SIZE(data)
    size += DECIMALS - ts_at + 14  # "ts":,"data":}
    if seq is not None:
        size += DECIMALS - seq_at + 7  # "seq":,
    if clear:
        size += 13  # "clear":true,
    cdef bytes event = PyBytes_FromStringAndSize(NULL, size)
    cdef char *at = put_bytes(PyBytes_AS_STRING(event), head)
    if seq is not None:
        at = put(at, b'"seq":', 6)
        at = put(at, &seq_text[seq_at], DECIMALS - seq_at)
        at = put(at, b',', 1)
    at = put(at, b'"ts":', 5)
    at = put(at, &ts_text[ts_at], DECIMALS - ts_at)
    at = put(at, b',', 1)
    at = put_bytes(at, origin)
    if clear:
        at = put(at, b'"clear":true,', 13)
    at = put(at, b'"data":', 7)
    at = put_bytes(at, data)
    at[0] = c'}'
    return event


# ---- WebSocket frames


def unmask(bytes data not None, Py_ssize_t start, Py_ssize_t stop):
    """The payload `data[start:stop]` of a client's WebSocket frame, unmasked by the four bytes before it."""
    if not 4 <= start <= stop <= PyBytes_GET_SIZE(data):
        raise ValueError(f"Expected 4 <= start <= stop <= {len(data)}, got {start} and {stop}.")
    cdef Py_ssize_t size = stop - start
    cdef bytes payload = PyBytes_FromStringAndSize(NULL, size)
    cdef const char *source = PyBytes_AS_STRING(data) + start
    cdef char *target = PyBytes_AS_STRING(payload)
    cdef uint64_t key, word
    cdef Py_ssize_t at = 0
    memcpy(&key, source - 4, 4)
    memcpy(<char *>&key + 4, source - 4, 4)
    while size - at >= 8:
        memcpy(&word, source + at, 8)
        word ^= key
        memcpy(target + at, &word, 8)
        at += 8
    while at < size:
        target[at] = source[at] ^ (<char *>&key)[at & 7]
        at += 1
    return payload


cdef inline bint follows(byte code) noexcept nogil:
    """Whether a byte goes on with a character that others began."""
    return code & 0xC0 == 0x80


cdef inline int character_size(Place p) noexcept nogil:
    """Bytes of the character beyond ASCII that begins at `p`, by table 3-7 of the Unicode Standard; 0 for none."""
    cdef byte first = p[0]
    if first < 0xC2 or not follows(p[1]):
        return 0
    if first < 0xE0:
        return 2
    if not follows(p[2]):
        return 0
    if first < 0xF0:
        return 0 if (first == 0xE0 and p[1] < 0xA0) or (first == 0xED and p[1] > 0x9F) else 3
    if first > 0xF4 or not follows(p[3]):
        return 0
    return 0 if (first == 0xF0 and p[1] < 0x90) or (first == 0xF4 and p[1] > 0x8F) else 4


cdef bint is_utf8(Place p, Place end) noexcept nogil:
    """Whether the bytes from `p` to `end` are valid UTF-8; there is one more behind them, whatever it is."""
    cdef uint64_t[4] words
    cdef int size
    while True:
        while end - p >= 32:
            memcpy(words, p, 32)
            if (words[0] | words[1] | words[2] | words[3]) & swarmwire_each(0x80):
                break
            p += 32
        while end - p >= 8:
            memcpy(words, p, 8)
            if words[0] & swarmwire_each(0x80):
                break
            p += 8
        while p < end and p[0] < 0x80:
            p += 1
        while p < end and p[0] >= 0x80:
            size = character_size(p)
            if not size or size > end - p:
                return False
            p += size
        if p == end:
            return True


def is_text(bytes payload not None):
    """Whether these bytes are valid UTF-8."""
    cdef Place p = <Place>PyBytes_AS_STRING(payload)
    return is_utf8(p, p + PyBytes_GET_SIZE(payload))


cdef inline Py_ssize_t head_size(Py_ssize_t size) noexcept nogil:
    return 2 if size < 126 else 4 if size < 65_536 else 10


cdef inline char *put_head(char *at, Py_ssize_t size) noexcept nogil:
    """Write the head of an unmasked text frame."""
    cdef Py_ssize_t width = head_size(size) - 2
    at[0] = <char>0x81
    at[1] = <char>(size if not width else 126 if width == 2 else 127)
    at += 2
    while width:
        width -= 1
        at[0] = <char>(<uint64_t>size >> (8 * width))
        at += 1
    return at


def join_frames(list payloads not None):
    """Each payload as a WebSocket text frame of a server."""
    cdef Py_ssize_t total = 0
    for payload in payloads:
        if type(payload) is not bytes:
            raise TypeError(f"Expected bytes, got {type(payload).__name__}.")
        total += head_size(PyBytes_GET_SIZE(payload)) + PyBytes_GET_SIZE(payload)
    cdef bytes block = PyBytes_FromStringAndSize(NULL, total)
    cdef char *at = PyBytes_AS_STRING(block)
    for payload in payloads:
        at = put_head(at, PyBytes_GET_SIZE(payload))
        at = put_bytes(at, <bytes>payload)
    return block


# ---- Frames of a stream


def join_prefixed(list payloads not None):
    """Each payload as a frame of a stream."""
    cdef Py_ssize_t total = 0
    cdef Py_ssize_t size
    for payload in payloads:
        if type(payload) is not bytes:
            raise TypeError(f"Expected bytes, got {type(payload).__name__}.")
        size = PyBytes_GET_SIZE(payload)
        if size > 0xFFFFFFFF:
            raise OverflowError("int too big to convert")
        total += 4 + size
    cdef bytes block = PyBytes_FromStringAndSize(NULL, total)
    cdef char *at = PyBytes_AS_STRING(block)
    for payload in payloads:
        size = PyBytes_GET_SIZE(payload)
        at[0] = <char>(<uint64_t>size >> 24)
        at[1] = <char>(<uint64_t>size >> 16)
        at[2] = <char>(<uint64_t>size >> 8)
        at[3] = <char>size
        at = put_bytes(at + 4, <bytes>payload)
    return block


def cut_frames(bytes data not None, Py_ssize_t start, Py_ssize_t limit, Py_ssize_t most, bint scanned=False):
    """Up to `most` payloads of the frames that a stream goes on with at `start`, and where the last of them ends."""
    if start < 0:
        raise ValueError(f"Expected start >= 0, got {start}.")
    cdef Place begin = <Place>PyBytes_AS_STRING(data)
    cdef Py_ssize_t left = PyBytes_GET_SIZE(data) - start
    cdef Py_ssize_t size
    cdef Place p
    cdef Scanned found
    cdef int seen
    cdef str topic = None
    cdef Place known = NULL  # the topic that `topic` is
    cdef Py_ssize_t known_size = 0
    cdef list payloads = []
    while most > 0 and left >= 4:
        p = begin + start
        size = <Py_ssize_t>p[0] << 24 | <Py_ssize_t>p[1] << 16 | <Py_ssize_t>p[2] << 8 | <Py_ssize_t>p[3]
        if not 0 < size <= limit or size > left - 4 or not is_utf8(p + 4, p + 4 + size):
            break
        seen = 0
        if scanned:
            found.id = NULL
            seen = scan(p + 4, p + 4 + size, &found)
        if seen:
            if known == NULL or found.topic_end - found.topic != known_size or memcmp(found.topic, known, known_size):
                topic = text_of(found.topic, found.topic_end)
                known, known_size = found.topic, found.topic_end - found.topic
            payloads.append((
                size,
                topic,
                PyBytes_FromStringAndSize(<const char *>found.data, found.data_end - found.data),
                id_of(&found, seen) if seen & ID else None,
                text_of(found.key, found.key_end) if seen & KEY else None,
            ))
        else:
            payloads.append(PyBytes_FromStringAndSize(<const char *>p + 4, size))
        most -= 1
        left -= 4 + size
        start += 4 + size
    return payloads, start
