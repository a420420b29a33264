// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One forged TCP packet per run: SYN, FIN, RST or ACK from a random address of a prefix.
 *
 * Run by tools/flood on live frames, whose contents the kernel does not restore between runs,
 * whatever became of them: all of the frame is written every time. The IPv4 checksum is right,
 * the TCP checksum is wrong on purpose: who is not asked to check it must not be fooled, who is
 * drops the packet at once. The urgent pointer marks the packet for the sieve, which takes it
 * out behind who is tested, so that the rate is not bounded by what comes after.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

#define FORGED 0xf10d /* urgent pointer */

const volatile __u8 template[sizeof(struct frame)];
const volatile __u32 first_source; /* host order */
const volatile __u32 source_mask;  /* of the bits that vary */
const volatile __u32 fixed_sum;	   /* of the IPv4 header without checksum and source */
const volatile __u32 flag_sets;	   /* four bytes: TCP flags, one is drawn */

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16) ~((sum & 0xffff) + (sum >> 16));
}

SEC("xdp")
int forge(struct xdp_md *ctx)
{
	struct frame *frame = (void *)(long)ctx->data;
	__u32 draw = bpf_get_prandom_u32();
	__u32 source = first_source | (bpf_get_prandom_u32() & source_mask);

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (__u32 i = 0; i < sizeof(*frame); i++)
		((__u8 *)frame)[i] = template[i];
	frame->ip.saddr = bpf_htonl(source);
	frame->ip.check = bpf_htons(fold(fixed_sum + (source >> 16) + (source & 0xffff)));
	frame->tcp.source = (__u16)draw;
	frame->tcp.seq = bpf_get_prandom_u32();
	frame->tcp.urg_ptr = bpf_htons(FORGED);
	((__u8 *)&frame->tcp)[13] = (__u8)(flag_sets >> (draw >> 16 & 3) * 8);
	return XDP_TX;
}

SEC("xdp")
int sieve(struct xdp_md *ctx)
{
	struct frame *frame = (void *)(long)ctx->data;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (frame->ethernet.h_proto != bpf_htons(ETH_P_IP) || frame->ip.protocol != IPPROTO_TCP ||
	    frame->tcp.urg_ptr != bpf_htons(FORGED))
		return XDP_PASS;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
