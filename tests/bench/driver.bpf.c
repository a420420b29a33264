// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * driver: what BPF_PROG_TEST_RUN repeats. It puts the packet back, lets one of N clients send it,
 * and jumps into the program under test; main.c says why.
 *
 * Every store contains whatever the program under test reads of it, so that its loads are served
 * from the store buffer: the packets of a NIC do not stall either. In IPv4 that is one word from
 * the TTL to the source address; in IPv6 the hop limit alone, for the whole word around it made
 * steer 3 ns slower here. A program that reads wider than this is charged for the stall. What the
 * case asks for stands in variables that user space writes between two runs.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PORT4 20 /* offset of the source port from the network header */
#define PORT6 40

#define CLIENTS4 0x64400000 /* 100.64.0.0/10, RFC 6598 */
#define CLIENTS6 0x20010db8 /* 2001:db8::/32, RFC 3849: the next 32 bits number the /64 */

const volatile char clang[128] = __clang_version__;

__u64 mac_low;	   /* bytes 0..7 of the frame */
__u32 mac_high;	   /* bytes 8..11 */
__u32 network;	   /* offset of the network header, below 32 */
__u32 header;	   /* IPv4: TTL, protocol, checksum; IPv6: hop limit */
__u32 frame_bytes; /* as built by the case */
__u32 family;	   /* 4, 6; anything else: only the Ethernet header is put back */
__u32 client_mask; /* clients - 1, a power of two less one */
__u32 state;
__u32 port_step; /* from one packet's source port to the next one's; 0 = all as built */
__u32 from_port;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* Source: Numerical Recipes, ranqd1. Full period also in the low bits: each client in turn. */
static __always_inline __u32 next_client(void)
{
	state = state * 1664525 + 1013904223;
	return state & client_mask;
}

static __always_inline void change_port(void *port, void *end)
{
	if (port + 2 > end)
		return;
	from_port += port_step;
	*(__u16 *)port = (__u16)from_port;
}

static __always_inline void restore_ipv4(void *ip)
{
	__u32 client = bpf_htonl(CLIENTS4 + next_client());

	*(__u64 *)(ip + 8) = header | (__u64)client << 32;
}

static __always_inline void restore_ipv6(void *ip)
{
	__u32 client = bpf_htonl(next_client());

	*(__u8 *)(ip + 7) = (__u8)header;
	*(__u64 *)(ip + 8) = bpf_htonl(CLIENTS6) | (__u64)client << 32;
}

SEC("xdp")
int driver(struct xdp_md *ctx)
{
	int grown = (int)(ctx->data_end - ctx->data - frame_bytes);
	void *start, *end, *ip;

	if (grown && bpf_xdp_adjust_head(ctx, grown))
		return XDP_ABORTED;
	start = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = start + (network & 31); /* & 31: the bound that the verifier asks for */
	if (start + ETH_HLEN > end || ip + 16 > end)
		return XDP_ABORTED;
	*(__u64 *)start = mac_low;
	*(__u32 *)(start + 8) = mac_high;
	if (family == 4)
		restore_ipv4(ip);
	else if (family == 6)
		restore_ipv6(ip);
	if (port_step)
		change_port(ip + (family == 4 ? PORT4 : PORT6), end);
	bpf_tail_call_static(ctx, &under_test, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
