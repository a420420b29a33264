/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What waiting.c (looks and judges) and waiting_show.c (tells) share. */
#ifndef STEER_CTL_WAITING_H
#define STEER_CTL_WAITING_H

#include "core/drain.h"
#include "ctl/named.h"

struct waiting {
	struct run *run;
	const struct named *named;
	const struct patience *patience;
	struct drain_watch *watches; /* one per backend */
	uint32_t *slots_now;
	uint32_t *ids;
	struct steerer_bound *bounds;
	struct steerer *steerer;
	uint64_t begun_ms;
	uint64_t said_ms;
	unsigned int lines; /* drawn, for drawing over them */
	bool is_terminal;
	struct diag said;
};

uint64_t waiting_now_ms(void);

/* What is known of one backend, and what is only guessed, named so. */
void waiting_say_backend(const struct waiting *w, size_t i, bool with_left, struct diag *text);
/* A new look, for people. */
void waiting_show(struct waiting *w);
/* "drained" and "waited_ms" of the JSON answer. */
void waiting_answer(struct waiting *w);

#endif
