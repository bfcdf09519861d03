/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which worker's socket a datagram belongs to, said to the kernel in classic BPF, so that most messages arrive where
 * they are wanted and need no hand-over. The language has no loops: the search for the branch is written out, six
 * instructions for each place where it may begin.
 *
 *   response   "SIP/2.0 200 OK\r\nVia: ...;branch=z9hG4bKq" ww	the first header of what answers us is our Via
 *   request    "BYE sip:w" ww					our Contact as Request-URI
 *   the rest   no answer: the kernel spreads it, and what is a new call goes to the worker of its Call-ID
 *
 * A load past the end of a short datagram ends the program with 0: one more hand-over, no harm. */
#include "sip/sip_msg.h"

#define BRANCH_FIRST 36 /* "SIP/2.0 200 OK\r\nv:SIP/2.0/UDP a;branch=" */
#define BRANCH_LAST 180

#define NOBODY 0xffffffffu

struct program {
	struct sock_filter *code;
	unsigned max, len;
};

static void emit(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (p->len < p->max)
		p->code[p->len] = (struct sock_filter){ code, jt, jf, k };
	p->len++;
}

#define LOAD_WORD (BPF_LD | BPF_W | BPF_ABS)
#define LOAD_BYTE (BPF_LD | BPF_B | BPF_ABS)
#define LOAD_BYTE_X (BPF_LD | BPF_B | BPF_IND)
#define IF_EQUAL (BPF_JMP | BPF_JEQ | BPF_K)
#define IF_GREATER (BPF_JMP | BPF_JGT | BPF_K)
#define JUMP (BPF_JMP | BPF_JA)

static uint32_t word(const char *text)
{
	return (uint32_t)text[0] << 24 | (uint32_t)text[1] << 16 | (uint32_t)text[2] << 8 |
	       (uint32_t)text[3];
}

/* A = value of the hex digit at X + offset. */
static void emit_digit(struct program *p, uint32_t offset)
{
	emit(p, LOAD_BYTE_X, 0, 0, offset);
	emit(p, IF_GREATER, 2, 0, '9');
	emit(p, BPF_ALU | BPF_SUB | BPF_K, 0, 0, '0');
	emit(p, JUMP, 0, 0, 1);
	emit(p, BPF_ALU | BPF_SUB | BPF_K, 0, 0, 'a' - 10);
}

/* The worker's two digits stand at X: that is the answer. */
static void emit_answer(struct program *p)
{
	emit_digit(p, 0);
	emit(p, BPF_ALU | BPF_LSH | BPF_K, 0, 0, 4);
	emit(p, BPF_ST, 0, 0, 0);
	emit_digit(p, 1);
	emit(p, BPF_LDX | BPF_MEM, 0, 0, 0);
	emit(p, BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0);
	emit(p, BPF_RET | BPF_A, 0, 0, 0);
}

/* "sip:w" right after a method of `length` letters: its digits follow. */
static void emit_request(struct program *p, uint32_t length, uint32_t answer)
{
	uint32_t at = length + 1;

	emit(p, LOAD_WORD, 0, 0, at);
	emit(p, IF_EQUAL, 0, 4, word("sip:"));
	emit(p, LOAD_BYTE, 0, 0, at + 4);
	emit(p, IF_EQUAL, 0, 2, 'w');
	emit(p, BPF_LDX | BPF_IMM, 0, 0, at + 5);
	emit(p, JUMP, 0, 0, answer - p->len - 1);
}

static void emit_branch(struct program *p, uint32_t at, uint32_t answer)
{
	emit(p, LOAD_WORD, 0, 0, at);
	emit(p, IF_EQUAL, 0, 4, word("z9hG"));
	emit(p, LOAD_WORD, 0, 0, at + 4);
	emit(p, IF_EQUAL, 0, 2, word("4bKq"));
	emit(p, BPF_LDX | BPF_IMM, 0, 0, at + 8);
	emit(p, JUMP, 0, 0, answer - p->len - 1);
}

unsigned sip_steer(struct sock_filter *program, unsigned max)
{
	/* ACK and BYE, INFO, PRACK, INVITE and UPDATE, OPTIONS and MESSAGE. */
	enum { METHOD_FIRST = 3, METHOD_LAST = 7, EACH = 6, HEAD = 3 };
	const uint32_t requests = HEAD;
	const uint32_t responses = requests + EACH * (METHOD_LAST - METHOD_FIRST + 1) + 1;
	const uint32_t answer = responses + EACH * (BRANCH_LAST - BRANCH_FIRST + 1) + 1;
	struct program p = { program, max, 0 };

	emit(&p, LOAD_WORD, 0, 0, 0);
	emit(&p, IF_EQUAL, 0, 1, word("SIP/"));
	emit(&p, JUMP, 0, 0, responses - p.len - 1);
	for (uint32_t length = METHOD_FIRST; length <= METHOD_LAST; length++)
		emit_request(&p, length, answer);
	emit(&p, BPF_RET | BPF_K, 0, 0, NOBODY);
	assert(p.len == responses);
	for (uint32_t at = BRANCH_FIRST; at <= BRANCH_LAST; at++)
		emit_branch(&p, at, answer);
	emit(&p, BPF_RET | BPF_K, 0, 0, NOBODY);
	assert(p.len == answer);
	emit_answer(&p);
	return p.len <= max ? p.len : 0;
}
