#include "sha1.h"

#include <stdint.h>
#include <string.h>

enum { BLOCK = 64, DIGEST = 20, MAX_BLOCKS = 4 };

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void mix(uint32_t state[5], const uint8_t *block) {
  uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int i = 0; i < 16; i++, block += 4)
    w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
    uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
    uint32_t next = rotate(a, 5) + f + e + k + w[i];
    e = d, d = c, c = rotate(b, 30), b = a, a = next;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

static void digest_of(const char *text, size_t length, uint8_t digest[DIGEST]) {
  uint8_t padded[MAX_BLOCKS * BLOCK] = {0};
  uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  size_t blocks = (length + 9 + BLOCK - 1) / BLOCK;
  memcpy(padded, text, length);
  padded[length] = 0x80;
  for (int i = 0; i < 4; i++) padded[blocks * BLOCK - 1 - (size_t)i] = (uint8_t)(length * 8 >> (8 * i));
  for (size_t i = 0; i < blocks; i++) mix(state, padded + i * BLOCK);
  for (int i = 0; i < DIGEST; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - i % 4 * 8));
}

void sha1_base64(const char *text, size_t length, char *result) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t digest[DIGEST + 1] = {0};
  digest_of(text, length, digest);
  for (int i = 0; i < 28; i++) {
    int bit = i * 6, at = bit / 8;
    unsigned pair = (unsigned)digest[at] << 8 | (at + 1 < DIGEST ? digest[at + 1] : 0);
    result[i] = letters[pair >> (10 - bit % 8) & 63];
  }
  result[27] = '=';
  result[28] = 0;
}
