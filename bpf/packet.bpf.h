/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet as the stages see it, and the only way to reach its bytes.
 */
#ifndef STEER_BPF_PACKET_H
#define STEER_BPF_PACKET_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steer/abi.h"
#include "steer/hash.h"

/* A stage hands the packet on to the next one, or ends it with a verdict. */
#define STEER_NEXT (-1)

/*
 * Stages that differ by family take it as their first argument, always a constant: the compiler
 * makes one straight path of each, and the verifier never has to prove which header it holds.
 */
enum family {
	IPV4,
	IPV6,
};

struct packet {
	struct xdp_md *ctx;
	void *start;  /* Ethernet header */
	void *cursor; /* first byte not yet parsed */
	void *end;
	union {
		struct iphdr *ip4;
		struct ipv6hdr *ip6;
	};
	void *transport; /* TCP or UDP header */
	const struct steer_bank *bank;
	const struct steer_frontends *frontends;
	__u64 mixed;   /* hash of the destination address */
	__u32 address; /* cell of the destination in frontends->address */
	__u32 service;
	__u32 backend;	    /* id */
	bool is_connection; /* opens a TCP connection */
	__u16 vlan;	    /* id of the outermost tag, STEER_VLAN_NONE = untagged */
	__be16 port;	    /* destination */
	__u8 protocol;	    /* IPPROTO_* behind the last extension header */
};

/* Have the compiler finish a value here and keep it, instead of computing it at each use. */
#define keep(value) asm volatile("" : "+r"(value))

/*
 * End the packet. The barrier keeps the verdict out of the straight path, where the compiler
 * would otherwise load every verdict into a register before the check that may need it.
 */
static __always_inline int refuse(enum steer_verdict verdict)
{
	asm volatile("");
	return verdict;
}

/* Move past @size bytes. False if the packet is shorter. */
static __always_inline bool take_header(struct packet *pkt, __u32 size)
{
	if (pkt->cursor + size > pkt->end)
		return false;
	pkt->cursor += size;
	return true;
}

#endif
