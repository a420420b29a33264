/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * extensions: walk the IPv6 extension headers that may stand before TCP or UDP.
 *
 * A function of its own that the verifier proves once: inlined, each number of headers would be
 * one more way through everything that follows, five times as much to verify. Most packets have
 * none and never come here.
 */
#ifndef STEER_BPF_EXTENSIONS_H
#define STEER_BPF_EXTENSIONS_H

#include "packet.bpf.h"

#define EXTENSIONS_MAX 6 /* RFC 8200 section 4.1 lists six that may stand before TCP or UDP */

struct extension {
	__u8 next;
	__u8 length; /* in units of 8 bytes, without the first 8 (AH: of 4, without the first 8) */
};

/* Where the walk ended: a verdict, or the next protocol and its offset in the frame, in bytes. */
#define WALK_ENDED(verdict)	 (1U << 31 | (verdict))
#define WALK_FOUND(next, offset) ((__u32)(next) << 16 | (offset))
#define WALK_IS_OVER(walk)	 ((walk) >> 31)
#define WALK_VERDICT(walk)	 ((enum steer_verdict)((walk)&0xff))
#define WALK_NEXT(walk)		 ((__u8)((walk) >> 16))
#define WALK_OFFSET(walk)	 ((walk)&WALK_OFFSET_MAX)
#define WALK_OFFSET_MAX		 0x3fff /* above two tags, the header and six extensions */

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_AH;
}

/* @offset: of the first extension header, whose type is @next. Not static: see above. */
__noinline __u32 walk_extensions(struct xdp_md *ctx, __u32 offset, __u32 next)
{
	void *start = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		struct extension *ext = start + (offset & WALK_OFFSET_MAX);

		if ((void *)(ext + 1) > end)
			return WALK_ENDED(STEER_VERDICT_MALFORMED);
		offset += next == IPPROTO_AH ? (ext->length + 2) * 4 : (ext->length + 1) * 8;
		next = ext->next;
		if (!is_extension((__u8)next))
			return WALK_FOUND((__u8)next, offset & WALK_OFFSET_MAX);
	}
	return WALK_ENDED(STEER_VERDICT_EXTENSIONS);
}

#endif
