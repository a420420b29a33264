/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pinned maps of one steerer: write-once objects, the banks, and the word that selects one.
 *
 * With loader.c the only code that makes bpf(2) calls. An object is created, filled by one call,
 * frozen, pinned as KIND/NUMBER, and then put into the outer map that the program reads; the
 * batch that does this waits for a grace period, so that a number which no retained bank refers
 * to may be taken again. Banks lie in the mapped control page beside the word.
 */
#ifndef STEER_CORE_DATAPLANE_H
#define STEER_CORE_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steer/abi.h"

struct diag;

enum object_kind {
	OBJECT_FRONTENDS,
	OBJECT_TABLE,
	OBJECT_PAGE,
	OBJECT_TIMES,  /* what transition.h knows of a bank's touched services; as OBJECT_POLICY */
	OBJECT_POLICY, /* JSON, pinned under its bank's number; only user space reads it */
	OBJECT_KIND_COUNT,
};

struct dataplane {
	char dir[192];			 /* pin directory of the instance */
	int outer_fd[OBJECT_KIND_COUNT]; /* -1 for OBJECT_POLICY */
	int verdict_fd;
	int backend_counters_fd;
	int flows_fd;
	int flow_counters_fd;
	struct steer_control *control; /* mapped */
};

/* Open what is pinned under @dir. Errors: -ENOTCONN nothing there; -EPERM; -EPROTO other ABI. */
int dataplane_open(const char *dir, bool writable, struct dataplane *ret_dp, struct diag *why);
void dataplane_close(struct dataplane *dp);

/* Fails with -EPERM and names the capability when the process may not use bpf(2). */
int dataplane_privileged(struct diag *why);

/* Bytes of an object's value; 0 for OBJECT_POLICY, whose size varies. */
size_t object_size(enum object_kind kind);
const char *object_name(enum object_kind kind);

/* Create, fill, freeze and pin object @number; an old pin of that number is replaced. */
int object_write(struct dataplane *dp, enum object_kind kind, uint32_t number, const void *value,
		 size_t size, struct diag *why);

/* A copy of the object's value, to be freed. Errors: -ENOENT. */
int object_read(const struct dataplane *dp, enum object_kind kind, uint32_t number,
		void **ret_value, size_t *ret_size, struct diag *why);

/* Put pinned objects into their outer map: one batch, one grace period. */
int object_publish(struct dataplane *dp, enum object_kind kind, const uint32_t *numbers,
		   size_t count, struct diag *why);

/* Does the outer map hold the pinned object @number, so that the program can read it? */
bool object_is_published(const struct dataplane *dp, enum object_kind kind, uint32_t number);

/* Numbers that are pinned: @ret_used[number] is set. @limit elements. */
int object_list(const struct dataplane *dp, enum object_kind kind, bool *ret_used, size_t limit,
		struct diag *why);
void object_unpin(struct dataplane *dp, enum object_kind kind, uint32_t number);

/* Create the counters of a page of backend ids if they are missing. */
int dataplane_counters(struct dataplane *dp, uint32_t page, struct diag *why);

/* Start the timer after a swap that touches something or has something due. */
int dataplane_arm(struct dataplane *dp, struct diag *why);

/*
 * Wait until every packet that was on its way has ended, so that what no bank in use refers to
 * may be written again. @table: any published table, put again where it stands.
 */
int dataplane_barrier(struct dataplane *dp, uint32_t table, struct diag *why);

/* Write @bank, which is not in use, as @number; its generation becomes visible last. */
void dataplane_write_bank(struct dataplane *dp, uint32_t number, const struct steer_bank *bank);

uint64_t dataplane_word(const struct dataplane *dp);

/* Compare-and-swap: install @bank if the word is still @expected. Errors: -ESTALE. */
int dataplane_swap(struct dataplane *dp, uint64_t expected, uint32_t bank);

#endif
