/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Everything that crosses the kernel boundary, once.
 *
 * Included by the XDP program and by user space. Only this header and hash.h may use the prefix
 * steer_. All integers are in host order unless their type is __be*. Padding is named and zero.
 * Sizes and offsets are recorded in tests/checks/abi.golden; a change there bumps STEER_ABI.
 *
 * How a packet travels through these objects:
 *
 *   control.word -> control.bank -> frontends -> service -> table[slot] -> record page -> record
 *
 * All of them are write-once: complete before the first word names a bank that leads to them, and
 * written again only after a grace period in which no retained bank did. Frontends, tables and
 * record pages are maps of their own, frozen; banks stand beside the word, where the program
 * reaches them by address, without a look-up.
 */
#ifndef STEER_ABI_H
#define STEER_ABI_H

#include <linux/types.h>

#define STEER_ABI 3

#define STEER_SLOTS	   65536 /* positions a client key can hash to */
#define STEER_SERVICES	   256
#define STEER_FRONTENDS	   4096	 /* limit over all services */
#define STEER_BACKENDS	   4096	 /* limit over all services and pools */
#define STEER_BACKEND_IDS  16384 /* ids outlive their backend; 0 means no backend */
#define STEER_KEY_BYTES	   16	 /* of the longest client key */
#define STEER_PAGE_RECORDS 256	 /* backend records in one page */
#define STEER_PAGES	   (STEER_BACKEND_IDS / STEER_PAGE_RECORDS)

/* Numbers start at 1; number 0 means "none" for banks and for every kind of object. */
#define STEER_BANKS	       32
#define STEER_FRONTEND_OBJECTS 32
#define STEER_TABLE_OBJECTS    4096
#define STEER_PAGE_OBJECTS     512

#define STEER_BUCKETS 2048 /* displacements of one perfect hash, two keys each when full */
#define STEER_CELLS   4096 /* cells of one perfect hash; one per frontend when full */

#define STEER_NO_SERVICE 0xffff
#define STEER_VLAN_NONE	 0 /* the next hop is reached untagged */

/*
 * Verdicts: exactly one per packet. X(NAME, action, help); the lower-case name is the label in
 * every output. The action of FORWARDED is XDP_REDIRECT where the backend is on another interface.
 */
#define STEER_VERDICTS(X)                                                                          \
	X(FORWARDED, XDP_TX, "sent to a backend")                                                  \
	X(NOT_IP, XDP_PASS, "neither IPv4 nor IPv6 (ARP, LLDP, ...)")                              \
	X(NOT_OURS, XDP_PASS, "no frontend has this destination address")                          \
	X(NO_FRONTEND, XDP_PASS, "the address has a frontend, this port or protocol has none")     \
	X(FRAGMENT, XDP_PASS, "fragment for a frontend address, left to the host")                 \
	X(EXTENSIONS, XDP_PASS, "more IPv6 extension headers than steer follows")                  \
	X(MALFORMED, XDP_PASS, "headers cut short or contradicting the packet length")             \
	X(TTL_EXPIRED, XDP_PASS, "TTL or hop limit would reach zero here")                         \
	X(NO_GENERATION, XDP_PASS, "no generation is installed")                                   \
	X(NO_BACKEND, XDP_DROP, "the slot has no backend")                                         \
	X(OTHER_VLAN, XDP_DROP, "the backend is on another VLAN than the packet")                  \
	X(BROKEN, XDP_DROP, "the generation refers to an object that is missing")

enum steer_verdict {
#define STEER_VERDICT_ENUM(name, action, help) STEER_VERDICT_##name,
	STEER_VERDICTS(STEER_VERDICT_ENUM)
#undef STEER_VERDICT_ENUM
		STEER_VERDICT_COUNT,
};

/*
 * The one word that commits. Bits 63..32: epoch, raised by every swap so that no old value comes
 * back; bits 31..0: bank number, 0 = no generation installed.
 */
#define STEER_WORD(epoch, bank) (((__u64)(epoch) << 32) | (__u32)(bank))
#define STEER_WORD_BANK(word)	((__u32)(word))
#define STEER_WORD_EPOCH(word)	((__u32)((word) >> 32))

/*
 * The ways on from a bank. Written before the bank can be live; @due_ns and @next again by who
 * selects it, for a bank that was prepared does not know when that is.
 */
struct steer_links {
	__u32 rollback; /* bank: base of the current release with today's backends */
	__u32 undo;	/* bank: the shares of one commit back; 0 = none known */
	__u32 settled;	/* bank: all transitions over; the bank itself when nothing is touched */
	__u32 next;	/* bank that the timer selects at @due_ns; 0 = none */
	__u64 due_ns;	/* CLOCK_BOOTTIME; 0 = never */
	__u64 hold_ns; /* how long after its selection @next is due, for banks that were prepared */
};

/* What a generation is to the kernel. A bank that is not in use has generation 0. */
struct steer_bank {
	__u64 generation; /* counts built banks; unique per instance */
	__u64 revision;	  /* revision this bank shows when it is live */
	__u64 parent;	  /* revision it was prepared from; its own - 1 */
	/* As in the frontends object: here the packet's hash need not wait for finding that. */
	__u64 address_seed[2];
	__u64 port_seed;
	__u32 frontends;	      /* frontends object */
	__u32 services;		      /* services in use are 0 .. services - 1 */
	__u32 flags;		      /* STEER_BANK_* */
	__u32 lived;		      /* it was selected once; user space retires banks by this */
	__u32 page[STEER_PAGES];      /* record page object of ids 256 n .. 256 n + 255 */
	__u32 now[STEER_SERVICES];    /* table object; 0 = service number unused */
	__u32 origin[STEER_SERVICES]; /* table object of open transitions; 0 = settled */
	__u8 prefix4[STEER_SERVICES]; /* bits 5..0: leading bits of the source that make the key */
	__u8 prefix6[STEER_SERVICES]; /* the same for IPv6, 0..128 */
};
#define STEER_BANK_TOUCHED 1	/* some service has an origin table */
#define STEER_PREFIX4	   0x3f /* of prefix4[] */
#define STEER_UDP_FLOW	   0x80 /* in prefix4[]: UDP flows have records, else they follow now */
_Static_assert(sizeof(struct steer_bank) == 64 + 4 * STEER_PAGES + 10 * STEER_SERVICES,
	       "ABI: bank");

/* Map "control": the only object that changes, mmapable, one element. */
struct steer_control {
	__u64 word;    /* STEER_WORD; changed only by compare-and-swap */
	__u64 pad0[7]; /* keeps the word alone in its cache line */
	__u32 abi;     /* STEER_ABI of whoever created the maps */
	__u32 births;  /* how many flows one CPU may record within one epoch */
	/* Advanced by the timer, which runs while a bank is touched or has something due. */
	__u32 epoch;	   /* units of STEER_EPOCH_NS */
	__u32 age;	   /* units of @age_epochs epochs */
	__u32 age_epochs;  /* 32 ages are longer than any transition */
	__u32 sweep;	   /* bucket that the timer sweeps next */
	__u32 sweep_found; /* records met since it swept bucket 0 */
	__u32 is_ticking;  /* the timer is armed */
	__u32 ticks;	   /* how often it has run */
	__u32 idle_ticks;  /* since there was last anything to do */
	__u32 pad1[6];
	__u64 hash_key[2]; /* secret; slot_hash is drawn from it, flow tags are keyed with it */
	__u64 pad2[6];
	struct steer_links links[STEER_BANKS];
	/* client key -> slot, see steer_slot4(); complete before the first word, then constant */
	__u16 slot_hash[STEER_KEY_BYTES][256];
	struct steer_bank bank[STEER_BANKS];
};
_Static_assert(sizeof(struct steer_control) ==
		       192 + 512 * STEER_KEY_BYTES + STEER_BANKS * (32 + sizeof(struct steer_bank)),
	       "ABI: control");

/*
 * A frontend address: cell of the first perfect hash. What a cell does not hold (an unused one:
 * anything; one of an IPv4 address: an IPv6 address, and the reverse) is an address that belongs
 * in another cell, so that comparing the address decides alone.
 */
struct steer_address {
	__be64 ipv6[2];
	__be32 ipv4;
	__u16 any_tcp; /* service of port 0 for TCP, or STEER_NO_SERVICE */
	__u16 any_udp; /* the same for UDP */
};
_Static_assert(sizeof(struct steer_address) == 24, "ABI: address");

/*
 * A port of a frontend address: cell of the second perfect hash. Bits 63..16: steer_port_key(),
 * 0 = unused cell; 15..0: service.
 */
#define STEER_PORT_CELL(key, service) ((key) << 16 | (service))
#define STEER_PORT_SERVICE(cell)      ((__u32)(cell)&0xffff)
#define STEER_PORT_KEY(cell)	      ((cell) >> 16)

/* Value of one frontends object: two hash-and-displace tables, see steer_cell() in hash.h. */
struct steer_frontends {
	__u64 address_seed[2]; /* odd */
	__u64 port_seed;       /* odd */
	__u64 pad[5];
	__u16 address_displace[STEER_BUCKETS];
	__u16 port_displace[STEER_BUCKETS];
	struct steer_address address[STEER_CELLS];
	__u64 port[STEER_CELLS];
};
_Static_assert(sizeof(struct steer_frontends) == 64 + 4 * STEER_BUCKETS + 32 * STEER_CELLS,
	       "ABI: frontends");

/*
 * Value of one table object: slot -> backend id of one service. A table of now: 0 = no backend.
 * A table of origins: whom the slot's unrecorded flows belong to; 0 = the slot is not touched.
 */
struct steer_table {
	__u16 backend[STEER_SLOTS];
	__u32 era; /* of a table of origins: counts the service's transitions, see steer_flow_tag()
		    */
	__u32 pad;
};

/*
 * Flow records: only flows born in a transition, away from their slot's origin, have one. A
 * bucket is one cache line; a flow may be in either of two. Words change by compare-and-swap.
 * Bits 63..24: tag, never 0; 23..8: backend id; 7..6: state; 5..0: epoch or age, modulo 64. An
 * empty word is 0.
 */
#define STEER_BUCKET_FLOWS 8
struct steer_bucket {
	__u64 flow[STEER_BUCKET_FLOWS];
};

enum steer_flow_state {
	STEER_FLOW_BORN,      /* nothing but its first packet was seen; epoch */
	STEER_FLOW_CONFIRMED, /* age */
	STEER_FLOW_CLOSING,   /* FIN or RST was seen, true or forged; epoch */
	STEER_FLOW_REVIVING,  /* and one packet after it; a second one confirms; epoch */
};
#define STEER_FLOW(tag, backend, state, stamp)                                                     \
	((__u64)(tag) << 24 | (__u64)(backend) << 8 | (__u64)(state) << 6 | ((stamp)&63))
#define STEER_FLOW_TAG(flow)	 ((flow) >> 24)
#define STEER_FLOW_BACKEND(flow) ((__u32)((flow) >> 8) & 0xffff)
#define STEER_FLOW_STATE(flow)	 ((enum steer_flow_state)((flow) >> 6 & 3))
#define STEER_FLOW_STAMP(flow)	 ((__u32)(flow)&63)

#define STEER_TICK_NS	     250000000ULL /* period of the timer */
#define STEER_IDLE_TICKS     40		  /* a commit has as long between arming and its swap */
#define STEER_EPOCH_TICKS    8		  /* an epoch is 2 s */
#define STEER_EPOCH_NS	     (STEER_EPOCH_TICKS * STEER_TICK_NS)
#define STEER_SWEEP_BUCKETS  2048 /* per tick */
#define STEER_BORN_EPOCHS    4	  /* life of a flow that sends nothing more: 6 to 8 s */
#define STEER_CLOSING_EPOCHS 30	  /* life after a FIN or RST with nothing after it: 60 s */
#define STEER_CONFIRMED_AGES 32	  /* life of a confirmed flow since its last packet */

/* Value of the per-CPU map "flow_counters". */
struct steer_flow_counters {
	__u64 births;	   /* recorded */
	__u64 hits;	   /* packets that followed a record */
	__u64 origin;	   /* packets of unrecorded flows in touched slots */
	__u64 full;	   /* births sent to the origin because both buckets were full */
	__u64 over_budget; /* births sent to the origin because of control.births */
	__u64 expired;	   /* records that the timer or a birth took away */
	__u32 budget_epoch;
	__u32 budget_births; /* within budget_epoch */
};

enum steer_forward {
	STEER_FORWARD_NONE, /* id not in use */
	STEER_FORWARD_DSR,  /* layer 2: new MAC addresses, IP addresses untouched */
};

/* A backend with its next hop resolved: one cache line. */
struct steer_record {
	__u8 mac_dst[6]; /* next hop towards the backend */
	__u8 mac_src[6]; /* interface that sends */
	__u32 ifindex;	 /* interface that sends (a bond's master, not its member) */
	__u32 how;	 /* STEER_HOW: compared at once with what the packet needs */
	__u32 pad0;
	__u8 addr[16]; /* the backend: IPv6, or IPv4 as ::ffff:a.b.c.d */
	__u8 pad1[24];
};
/* @vlan: VLAN id on the sending interface, STEER_VLAN_NONE = untagged */
#define STEER_HOW(forward, vlan) ((__u32)(forward) << 16 | (__u16)(vlan))
#define STEER_HOW_FORWARD(how)	 ((how) >> 16)
#define STEER_HOW_VLAN(how)	 ((__u16)(how))
_Static_assert(sizeof(struct steer_record) == 64, "ABI: record is one cache line");

/* Value of one record page object. */
struct steer_page {
	struct steer_record record[STEER_PAGE_RECORDS];
};

/* Element of the per-CPU counters of verdicts (all but FORWARDED) and of backends. */
struct steer_counter {
	__u64 packets;
	__u64 bytes;	   /* frame lengths as received, Ethernet header included */
	__u64 connections; /* TCP SYNs without ACK, as far as the packet was parsed */
};

/* A bond member and its master; a packet that came by the member may leave by XDP_TX. */
struct steer_member {
	__u32 member; /* ifindex; 0 = row unused */
	__u32 master; /* ifindex */
};
#define STEER_MEMBERS 8

/*
 * Facts of the applied configuration, read-only to the program, so that the verifier removes
 * what it does not need. The widest setting of every field is always correct.
 */
struct steer_facts {
	__u8 ipv4;	 /* some frontend is IPv4 */
	__u8 ipv6;	 /* some frontend is IPv6 */
	__u8 udp;	 /* some frontend is UDP */
	__u8 one_prefix; /* all services share client_mask4 and client_mask6 */
	__be32 client_mask4;
	__be32 client_mask6[4];
	__u32 buckets; /* of the flow table, a power of two; never changes while it is up */
	__u32 pad;
	struct steer_member member[STEER_MEMBERS];
};
_Static_assert(sizeof(struct steer_facts) == 32 + 8 * STEER_MEMBERS, "ABI: facts");

#endif
