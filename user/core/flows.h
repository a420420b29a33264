/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow table as user space sees it: mapped, read while packets change it.
 */
#ifndef STEER_CORE_FLOWS_H
#define STEER_CORE_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "core/dataplane.h"

struct flow_tuple {
	struct address from, to;
	uint16_t from_port, to_port; /* host order */
	uint8_t protocol;	     /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t service;	     /* number */
};

/* Buckets of a table for @flows flows: a power of two. */
uint32_t flows_buckets(uint32_t flows);

/* How many births one CPU may record in an epoch, so that a flood fills half of the table. */
uint32_t flows_births(uint32_t buckets);

/* Live records by backend id: @ret_records has STEER_BACKEND_IDS elements. */
int flows_count(const struct dataplane *dp, uint32_t *ret_records, struct diag *why);

/* Take the records of @backend out: its flows follow their slot from now on (maint: nobody). */
int flows_forget(struct dataplane *dp, uint32_t backend, struct diag *why);

/* Backend that @tuple is recorded with in a transition of @era; 0 = no record. */
int flows_find(const struct dataplane *dp, const struct flow_tuple *tuple, uint32_t era,
	       uint32_t *ret_backend, struct diag *why);

/* Sums over all CPUs. */
int flows_counters(const struct dataplane *dp, struct steer_flow_counters *ret_counters);

#endif
