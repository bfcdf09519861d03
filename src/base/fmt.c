/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <stdio.h>

struct out {
	char *p;
	size_t size, len; /* len may pass size: then only counted */
};

static void put(struct out *out, const char *text, size_t len)
{
	if (out->len < out->size) {
		size_t room = out->size - out->len;

		memcpy(out->p + out->len, text, len < room ? len : room);
	}
	out->len += len;
}

size_t fmt_u64(char *dst, uint64_t value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[20];
	size_t at = sizeof(digits);

	if (value < 10) {
		*dst = (char)('0' + value);
		return 1;
	}
	for (; value >= 100; value /= 100) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * (value % 100), 2);
	}
	if (value >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * value, 2);
	} else {
		digits[--at] = (char)('0' + value);
	}
	memcpy(dst, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

size_t fmt_ip4(char *dst, const void *address)
{
	const unsigned char *byte = address;
	char *at = dst;

	for (int i = 0; i < 4; i++) {
		unsigned rest = byte[i];

		if (i)
			*at++ = '.';
		if (rest >= 100)
			*at++ = (char)('0' + rest / 100);
		if (rest >= 10)
			*at++ = (char)('0' + rest / 10 % 10);
		*at++ = (char)('0' + rest % 10);
	}
	return (size_t)(at - dst);
}

static size_t fmt_hex(char *dst, uint64_t value)
{
	size_t n = value ? (size_t)(67 - __builtin_clzll(value)) / 4 : 1;

	for (size_t i = n; i-- > 0; value >>= 4)
		dst[i] = "0123456789abcdef"[value & 15];
	return n;
}

static void put_number(struct out *out, char conversion, unsigned width, uint64_t value,
		       bool negative)
{
	char digits[20];
	size_t n = conversion == 'x' ? fmt_hex(digits, value) : fmt_u64(digits, value);

	if (negative)
		put(out, "-", 1);
	for (size_t i = n + negative; i < width; i++)
		put(out, "0", 1);
	put(out, digits, n);
}

/* One number argument of the length that `longs` says (0 int, 1 long, 2 long long, 3 size_t). */
#define TAKE(type0, type1, type2, type3)                                                           \
	(longs == 0   ? (uint64_t)va_arg(*args, type0)                                             \
	 : longs == 1 ? (uint64_t)va_arg(*args, type1)                                             \
	 : longs == 2 ? (uint64_t)va_arg(*args, type2)                                             \
		      : (uint64_t)va_arg(*args, type3))

/* What follows a '%'. Returns what follows the conversion, or NULL if it is none of ours. */
static const char *convert(struct out *out, const char *f, va_list *args)
{
	unsigned width = 0, longs = 0;
	int precision = -1;
	uint64_t value;
	const char *text;
	char c;

	if (f[0] == '.' && f[1] == '*' && f[2] == 's') {
		precision = va_arg(*args, int);
		f += 2;
	} else if (f[0] == '0') {
		for (f++; ascii_digit(*f) && width < 100; f++)
			width = width * 10 + (unsigned)(*f - '0');
	}
	if (*f == 'z') {
		longs = 3;
		f++;
	} else {
		for (; *f == 'l' && longs < 2; f++)
			longs++;
	}
	switch (*f) {
	case 's':
		if (width || longs)
			return NULL;
		text = va_arg(*args, const char *);
		if (!text)
			text = "(null)";
		put(out, text, precision < 0 ? strlen(text) : strnlen(text, (size_t)precision));
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put(out, &c, 1);
		break;
	case 'u':
	case 'x':
		value = TAKE(unsigned, unsigned long, unsigned long long, size_t);
		put_number(out, *f, width, value, false);
		break;
	case 'd':
		value = (uint64_t)(longs == 0   ? va_arg(*args, int)
				   : longs == 1 ? va_arg(*args, long)
						: va_arg(*args, long long));
		put_number(out, 'd', width, (int64_t)value < 0 ? 0 - value : value,
			   (int64_t)value < 0);
		break;
	case '%':
		put(out, "%", 1);
		break;
	default:
		return NULL;
	}
	return f + 1;
}

size_t fmt_vprint(char *dst, size_t size, const char *format, va_list args)
{
	struct out out = { dst, size ? size - 1 : 0, 0 };
	const char *f = format;
	va_list mine;

	va_copy(mine, args);
	while (*f) {
		size_t plain = strcspn(f, "%");

		put(&out, f, plain);
		f += plain;
		if (!*f)
			break;
		f = convert(&out, f + 1, &mine);
		if (!f) {
			int n = vsnprintf(dst, size, format, args);

			va_end(mine);
			return n < 0 ? 0 : (size_t)n;
		}
	}
	va_end(mine);
	if (size)
		dst[out.len < size ? out.len : size - 1] = '\0';
	return out.len;
}

size_t fmt_print(char *dst, size_t size, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = fmt_vprint(dst, size, format, args);
	va_end(args);
	return n;
}
