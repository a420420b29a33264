// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "harness/flow_model.h"

#include <string.h>

/* Lives of a record since it was stamped: in epochs, of a known flow in ages. */
#define YOUNG_LIFE  4
#define KNOWN_LIFE  32
#define ENDING_LIFE 30
#define STAMPS	    64 /* stamps are kept modulo this */

struct step {
	const struct flow_moment *moment;
	uint16_t reached;
	struct flow_model next;
};

static const struct flow_record none = {.phase = FLOW_NONE};

static uint32_t life_of(const struct flow_record *record)
{
	return record->phase == FLOW_YOUNG   ? YOUNG_LIFE
	       : record->phase == FLOW_KNOWN ? KNOWN_LIFE
					     : ENDING_LIFE;
}

static uint32_t since(const struct flow_record *record, const struct flow_moment *moment)
{
	return (record->phase == FLOW_KNOWN ? moment->age : moment->epoch) - record->stamp;
}

/* The packet may have gone to @backend, and then @record is what is left. */
static void allow(struct step *step, uint16_t backend, struct flow_record record)
{
	struct flow_model *next = &step->next;

	if (backend != step->reached)
		return;
	for (size_t i = 0; i < next->n; i++) {
		if (next->may_be[i].phase == record.phase &&
		    next->may_be[i].backend == record.backend &&
		    next->may_be[i].stamp == record.stamp)
			return;
	}
	if (next->n < FLOW_MODEL_MOST)
		next->may_be[next->n++] = record;
}

static struct flow_record stamped(enum flow_phase phase, uint16_t backend,
				  const struct flow_moment *moment)
{
	return (struct flow_record){phase, backend,
				    phase == FLOW_KNOWN ? moment->age : moment->epoch};
}

/* A new flow: to now, recorded if that is not the origin. */
static void be_born(struct step *step)
{
	const struct flow_moment *moment = step->moment;

	allow(step, moment->now,
	      moment->now == moment->origin ? none : stamped(FLOW_YOUNG, moment->now, moment));
}

/* A packet that is no birth meets the record @is. */
static void follow(struct step *step, struct flow_record is, enum flow_packet packet)
{
	const struct flow_moment *moment = step->moment;

	if (packet == FLOW_PACKET_END)
		allow(step, is.backend, stamped(FLOW_ENDING, is.backend, moment));
	else if (is.phase == FLOW_ENDING)
		allow(step, is.backend, stamped(FLOW_RETURNING, is.backend, moment));
	else
		allow(step, is.backend, stamped(FLOW_KNOWN, is.backend, moment));
}

static void meet_syn(struct step *step, struct flow_record is, bool is_live)
{
	const struct flow_moment *moment = step->moment;

	/* One packet after a FIN may be the end's last one or a sign of life. */
	if (!is_live || is.phase == FLOW_ENDING || is.phase == FLOW_RETURNING)
		be_born(step);
	if (!is_live || is.phase == FLOW_ENDING)
		return;
	allow(step, is.backend, is);
	allow(step, is.backend, stamped(is.phase, is.backend, moment));
	allow(step, is.backend, stamped(FLOW_KNOWN, is.backend, moment));
}

static void meet_nothing(struct step *step, enum flow_packet packet)
{
	if (packet == FLOW_PACKET_SYN)
		be_born(step);
	else
		allow(step, step->moment->origin, none);
}

static void meet(struct step *step, struct flow_record is, enum flow_packet packet)
{
	uint32_t gone = since(&is, step->moment);

	if (!step->moment->origin) { /* steady: no record is looked at */
		allow(step, step->moment->now, is);
		return;
	}
	if (is.phase == FLOW_NONE) {
		meet_nothing(step, packet);
		return;
	}
	if (gone >= life_of(&is)) /* it may have been swept away */
		meet_nothing(step, packet);
	if (packet == FLOW_PACKET_SYN)
		meet_syn(step, is, gone % STAMPS < life_of(&is));
	else
		follow(step, is, packet);
}

void flow_model_reset(struct flow_model *flow)
{
	flow->may_be[0] = none;
	flow->n = 1;
}

bool flow_model_observe(struct flow_model *flow, enum flow_packet packet,
			const struct flow_moment *moment, uint16_t backend)
{
	struct step step = {.moment = moment, .reached = backend};

	for (size_t i = 0; i < flow->n; i++)
		meet(&step, flow->may_be[i], packet);
	if (!step.next.n)
		return false;
	*flow = step.next;
	return true;
}
