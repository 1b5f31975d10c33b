// Templates: `{name}` stands for a value, `\n \r \t \0 \\ \xHH` for a byte. Unknown braces stay as they are.
#include "loadgen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAMP_DIGITS = 19, NUMBER_DIGITS = 10 };

void append(Rendered *r, const void *bytes, size_t length) {
  if (r->length + length > r->capacity) {
    r->capacity = (r->length + length) * 2 + 256;
    r->bytes = grow(r->bytes, r->capacity);
  }
  memcpy(r->bytes + r->length, bytes, length);
  r->length += length;
}

static void append_text(Rendered *r, const char *text) { append(r, text, strlen(text)); }

static void append_stamp(Rendered *r) {
  if (r->stamp_count < MAX_STAMPS) r->stamps[r->stamp_count++] = r->length;
  append(r, "0000000000000000000", STAMP_DIGITS);
}

static void append_number(Rendered *r) {
  if (r->number_count < MAX_STAMPS) r->numbers[r->number_count++] = r->length;
  append(r, "0000000000", NUMBER_DIGITS);
}

static void append_mark(Rendered *r) {
  append_text(r, opt.marker);
  append_stamp(r);
  append(r, ":", 1);
  append_number(r);
}

// Letters that do not compress away, the same in every run.
static void append_padding(Rendered *r, long length) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  static u32 state = 12345;
  for (long i = 0; i < length; i++) {
    state = state * 1664525u + 1013904223u;
    append(r, &letters[(state >> 16) % 62], 1);
  }
}

// A JSON object of the asked size, if the mark fits into it.
static void append_data(Rendered *r) {
  size_t start = r->length;
  append_text(r, "{\"t\":\"");
  append_mark(r);
  append_text(r, "\",\"p\":\"");
  append_padding(r, opt.payload - (long)(r->length - start) - 2);
  append_text(r, "\"}");
}

static int data_length(void) {
  int least = (int)strlen("{\"t\":\"\",\"p\":\"\"}") + (int)strlen(opt.marker) + STAMP_DIGITS + 1 + NUMBER_DIGITS;
  return opt.payload > least ? opt.payload : least;
}

// The topic with a wildcard in every place whose bit is set in the number of the pattern; its first segment stays.
static void append_pattern(Rendered *r, Subject subject) {
  char topic[512];
  snprintf(topic, sizeof topic, opt.topic_format, subject.topic);
  int bits = (1 + subject.id % opt.patterns) << 1, place = 0;
  for (char *segment = topic, *rest; segment; segment = rest, place++) {
    char *separator = strpbrk(segment, "./");
    char joint = separator ? *separator : 0;
    rest = separator ? separator + 1 : NULL;
    if (separator) *separator = 0;
    append_text(r, bits >> place & 1 ? opt.star : segment);
    if (joint) append(r, &joint, 1);
  }
}

static void append_topic(Rendered *r, int topic, bool with_length) {
  char text[512];
  int length = snprintf(text, sizeof text, opt.topic_format, topic);
  u8 prefix[2] = {(u8)(length >> 8), (u8)length};
  if (with_length) append(r, prefix, 2);
  append(r, text, (size_t)length);
}

static void append_pattern16(Rendered *r, Subject subject) {
  size_t start = r->length;
  append(r, "\0\0", 2);
  append_pattern(r, subject);
  size_t length = r->length - start - 2;
  r->bytes[start] = (char)(length >> 8);
  r->bytes[start + 1] = (char)length;
}

static void append_int(Rendered *r, const char *format, int value) {
  char text[32];
  append(r, text, (size_t)snprintf(text, sizeof text, format, value));
}

static const char *token_of(int id) {
  if (!opt.token_count) die("{token} needs --tokens FILE");
  return opt.tokens[id % opt.token_count];
}

static bool append_named(Rendered *r, const char *name, Subject s) {
  if (!strcmp(name, "topic")) append_topic(r, s.topic, false);
  else if (!strcmp(name, "topic16")) append_topic(r, s.topic, true);
  else if (!strcmp(name, "pattern")) append_pattern(r, s);
  else if (!strcmp(name, "pattern16")) append_pattern16(r, s);
  else if (!strcmp(name, "id")) append_int(r, "%06d", s.id);
  else if (!strcmp(name, "token")) append_text(r, token_of(s.id));
  else if (!strcmp(name, "cursor")) append_text(r, s.cursor ? s.cursor : "");
  else if (!strcmp(name, "stamp")) append_stamp(r);
  else if (!strcmp(name, "number")) append_number(r);
  else if (!strcmp(name, "mark")) append_mark(r);
  else if (!strcmp(name, "data")) append_data(r);
  else if (!strcmp(name, "datalen")) append_int(r, "%d", data_length());
  else return false;
  return true;
}

static const char *append_escape(Rendered *r, const char *text) {
  static const char names[] = "nrt0", values[] = "\n\r\t";
  const char *known = *text ? strchr(names, *text) : NULL;
  unsigned value = (u8)*text;
  if (known) value = (u8)values[known - names];
  char byte;
  if (*text == 'x' && sscanf(text + 1, "%2x", &value) == 1) text += 2;
  byte = (char)value;
  append(r, &byte, 1);
  return *text ? text + 1 : text;
}

// MQTT's length of all that follows, put in afterwards.
static void insert_mqtt_length(Rendered *r, size_t at) {
  u8 encoded[5];
  size_t rest = r->length - at, used = 0;
  for (size_t value = rest; used == 0 || value; value >>= 7) encoded[used++] = (u8)(value & 127) | (value > 127 ? 128 : 0);
  append(r, encoded, used);
  memmove(r->bytes + at + used, r->bytes + at, rest);
  memcpy(r->bytes + at, encoded, used);
  for (int i = 0; i < r->stamp_count; i++) r->stamps[i] += r->stamps[i] >= at ? used : 0;
  for (int i = 0; i < r->number_count; i++) r->numbers[i] += r->numbers[i] >= at ? used : 0;
}

// The name in the braces that `text` begins with, or false.
static bool read_name(const char *text, char *name, size_t size) {
  const char *end = *text == '{' ? strchr(text, '}') : NULL;
  size_t length = end ? (size_t)(end - text - 1) : 0;
  if (!length || length >= size) return false;
  memcpy(name, text + 1, length);
  name[length] = 0;
  return true;
}

Rendered render(const char *text, Subject subject) {
  Rendered r = {0};
  char name[40];
  long mqtt = -1;
  while (*text) {
    if (*text == '\\') {
      text = append_escape(&r, text + 1);
    } else if (read_name(text, name, sizeof name) && !strcmp(name, "mqttlen")) {
      mqtt = (long)r.length;
      text += strlen(name) + 2;
    } else if (read_name(text, name, sizeof name) && append_named(&r, name, subject)) {
      text += strlen(name) + 2;
    } else {
      append(&r, text++, 1);
    }
  }
  if (mqtt >= 0) insert_mqtt_length(&r, (size_t)mqtt);
  return r;
}

const char *render_text(const char *text, Subject subject) {
  Rendered r = render(text, subject);
  append(&r, "", 1);
  return r.bytes;
}

static void write_digits(char *at, u64 value, int digits) {
  while (digits--) {
    at[digits] = (char)('0' + value % 10);
    value /= 10;
  }
}

void stamp(Rendered *r, u64 time, u64 number) {
  for (int i = 0; i < r->stamp_count; i++) write_digits(r->bytes + r->stamps[i], time, STAMP_DIGITS);
  for (int i = 0; i < r->number_count; i++) write_digits(r->bytes + r->numbers[i], number, NUMBER_DIGITS);
}
