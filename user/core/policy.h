/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy: everything that decides where clients go, in one value.
 *
 * What exists (from the configuration) and who gets what (from the operator's commands). Tables
 * are a pure function of it, so that two hosts with the same policy build the same bytes. All
 * functions are pure: a changed policy is a new one, the old one stays as it was.
 *
 * Slots are ranked by a keyed permutation (cohort.h). A pool other than the active one owns the
 * ranks in its list of ranges, the active pool owns the rest. A share grows by appending the
 * lowest ranks of the active pool and shrinks from the end of the list, so cohorts are nested.
 */
#ifndef STEER_CORE_POLICY_H
#define STEER_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "steer/abi.h"

#define NAME_TEXT 64 /* names match [a-z0-9A-Z][a-zA-Z0-9._-]* and fit with their NUL */

/* Limits and defaults of what the configuration may leave out. */
#define POLICY_FLOWS		262144
#define POLICY_FLOWS_LEAST	4096
#define POLICY_FLOWS_MOST	16777216
#define POLICY_DEADLINE_MS	(10 * 60 * 1000)
#define POLICY_DEADLINE_MOST_MS (30ULL * 24 * 60 * 60 * 1000)

struct diag;

enum backend_state {
	BACKEND_READY,
	BACKEND_DRAIN, /* what is bound stays, nothing new */
	BACKEND_MAINT, /* nobody */
	BACKEND_STATE_COUNT,
};

struct backend {
	char name[NAME_TEXT];
	struct address address;
	bool has_mac; /* the next hop is given, not resolved */
	uint8_t mac[6];
	uint32_t weight; /* in force, 0 .. 1000; 0 gives it no slots */
	uint32_t weight_configured;
	enum backend_state state;
	uint32_t id; /* 1 .. 65535, unique over all services, not reused while resident */
};

struct range {
	uint32_t first; /* rank */
	uint32_t count;
};

struct pool {
	char name[NAME_TEXT];
	char version[NAME_TEXT]; /* "" = not declared */
	struct backend *backends;
	size_t n_backends;
	struct range *ranges; /* owned ranks; none for the active pool */
	size_t n_ranges;
};

struct frontend {
	struct address address;
	uint16_t port;	  /* host order, 0 = any */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
};

/* Who owned which ranks at some revision: what a rollback restores. */
struct shares {
	uint64_t revision; /* 0 = nothing remembered */
	uint64_t seed;
	char active[NAME_TEXT];
	struct shares_pool {
		char name[NAME_TEXT];
		struct range *ranges;
		size_t n_ranges;
	} * pools; /* only pools that own ranks */
	size_t n_pools;
};

struct service {
	char name[NAME_TEXT];
	struct frontend *frontends;
	size_t n_frontends;
	uint8_t prefix4; /* client key: 1 .. 32 */
	uint8_t prefix6; /* 1 .. 128 */
	bool udp_flow;	 /* in a transition UDP flows stay where they are, too */
	/* how long open connections stay after a commit; TRANSITION_NEVER = until they end */
	uint64_t deadline_ms;
	struct pool *pools;
	size_t n_pools;
	size_t active;	      /* index into pools */
	uint64_t seed;	      /* of the cohort permutation */
	uint64_t revision;    /* last revision that changed this service */
	struct shares base;   /* before the current release: one pool owned every slot */
	struct shares before; /* before the last commit that changed shares */
};

struct interface {
	char name[16];
	uint8_t mode; /* enum interface_mode */
};

enum interface_mode {
	INTERFACE_AUTO, /* native, else generic with a warning */
	INTERFACE_NATIVE,
	INTERFACE_GENERIC,
};

struct policy {
	uint64_t revision;
	uint32_t last_backend_id; /* ids are given out upwards */
	uint32_t flows;		  /* room for flow records; the flow table rounds it up */
	struct interface *interfaces;
	size_t n_interfaces;
	struct service *services; /* index = service number of the ABI */
	size_t n_services;
};

/* Copies and frees everything inside; policy_free() leaves an empty policy. */
int policy_copy(const struct policy *from, struct policy *ret_policy);
void policy_free(struct policy *policy);
void shares_free(struct shares *shares);
int shares_copy(const struct shares *from, struct shares *ret_shares);

/* NULL when there is none of that name. */
struct service *policy_service(const struct policy *policy, const char *name);
struct pool *service_pool(const struct service *service, const char *name);
struct backend *service_backend(const struct service *service, const char *name,
				struct pool **ret_pool);

/* Copy of @n ranges, owned by the caller; NULL for none. Errors: -ENOMEM. */
int ranges_copy(const struct range *from, size_t n, struct range **ret_ranges);

/* Slots that a pool owns, 0 .. STEER_SLOTS. */
uint32_t service_pool_slots(const struct service *service, const struct pool *pool);

/* Pool that owns @rank. */
struct pool *service_rank_owner(const struct service *service, uint32_t rank);

struct share_request {
	const char *pool;
	uint32_t slots; /* 0 .. STEER_SLOTS */
};

/*
 * service_set - give each named pool its share; the active pool gives or takes.
 *
 * Begins a release when one pool owned every slot: remembers the base and draws the cohort's
 * seed from (key, service, pool, version), so that a retry of the same version keeps its cohort.
 * @ret_changed is set when anything differs. @revision is the one in force, remembered as base.
 * Errors: -ENOENT no such pool; -ERANGE the shares exceed 100%; -EINVAL a share for the active
 * pool that does not follow from the others. @service is unchanged on error.
 */
int service_set(struct service *service, const struct share_request *requests, size_t n_requests,
		uint64_t revision, const uint64_t key[2], bool *ret_changed, struct diag *why);

/* Make @pool active; it takes all slots of the former active pool. Other pools keep theirs. */
int service_switch(struct service *service, const char *pool, uint64_t revision,
		   const uint64_t key[2], bool *ret_changed, struct diag *why);

/*
 * Restore active pool, shares and seed of @to; everything else stays as it is. Pools that are
 * gone give their ranks to the active one. Errors: -ENOENT the active pool of @to is gone.
 * Does not touch base and before.
 */
int service_restore(struct service *service, const struct shares *to, bool *ret_changed,
		    struct diag *why);

/* Shares in force, owned by the caller. */
int service_shares(const struct service *service, uint64_t revision, struct shares *ret_shares);

/* The same owners of the same ranks under the same seed? */
bool shares_equal(const struct shares *a, const struct shares *b);

#endif
