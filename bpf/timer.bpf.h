/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * timer: what must happen although every process may be gone. Armed by user space with arm()
 * around the swap of a commit that touches something; it stops by itself some seconds after
 * nothing is touched or due any more and the flow table is empty.
 *
 * One tick advances the epoch that flow records are stamped with, selects the live bank's timed
 * successor when that is due, by the same compare-and-swap as a commit, and sweeps a part of the
 * flow table.
 */
#ifndef STEER_BPF_TIMER_H
#define STEER_BPF_TIMER_H

#include "flow.bpf.h"
#include "maps.bpf.h"

#define CLOCK_BOOTTIME 7 /* linux/time.h, which does not compile for BPF */

struct sweep {
	__u32 start;
	__u32 expired;
	bool is_touched;
};

static __always_inline const struct steer_bank *live_bank(void)
{
	return &control.bank[STEER_WORD_BANK(*(volatile __u64 *)&control.word) % STEER_BANKS];
}

static __always_inline void advance_clocks(void)
{
	control.ticks++;
	if (control.ticks % STEER_EPOCH_TICKS)
		return;
	control.epoch++;
	if (control.age_epochs && control.epoch % control.age_epochs == 0)
		control.age++;
}

/* Select what is due. Returns whether anything will be due later. */
static __always_inline bool follow_due(void)
{
	__u64 word = *(volatile __u64 *)&control.word;
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct steer_links *links = &control.links[STEER_WORD_BANK(word) % STEER_BANKS];
	__u32 next = links->next;
	struct steer_links *after = &control.links[next % STEER_BANKS];

	if (!links->due_ns || !next)
		return false;
	if (now_ns < links->due_ns)
		return true;
	if (after->hold_ns)
		after->due_ns = now_ns + after->hold_ns;
	compare_and_swap(&control.word, word, STEER_WORD(STEER_WORD_EPOCH(word) + 1, next));
	return true;
}

/* Without a touched bank no record means anything; the youngest may be of a commit just made. */
static __always_inline bool is_garbage(__u64 flow, const struct sweep *sweep)
{
	__u32 stamp = STEER_FLOW_STAMP(flow);

	if (sweep->is_touched)
		return steer_flow_is_over(flow, control.epoch, control.age);
	return STEER_FLOW_STATE(flow) == STEER_FLOW_CONFIRMED ? stamp != (control.age & 63)
							      : stamp != (control.epoch & 63);
}

static int sweep_bucket(__u32 index, struct sweep *sweep)
{
	__u32 number = (sweep->start + index) & (facts.buckets - 1);
	struct steer_bucket *bucket = bpf_map_lookup_elem(&flows, &number);

	if (!bucket)
		return 1;
	for (int i = 0; i < STEER_BUCKET_FLOWS; i++) {
		__u64 flow = *(volatile __u64 *)&bucket->flow[i];

		if (!flow)
			continue;
		control.sweep_found++;
		if (is_garbage(flow, sweep) && compare_and_swap(&bucket->flow[i], flow, 0) == flow)
			sweep->expired++;
	}
	return 0;
}

/* Returns whether records may be left. */
static __always_inline bool sweep_some(bool is_touched)
{
	struct steer_flow_counters *counters = flow_counts();
	struct sweep sweep = {.start = control.sweep, .is_touched = is_touched};
	__u32 end;

	bpf_loop(STEER_SWEEP_BUCKETS, sweep_bucket, &sweep, 0);
	if (counters)
		counters->expired += sweep.expired;
	end = sweep.start + STEER_SWEEP_BUCKETS;
	if (end < facts.buckets) {
		control.sweep = end;
		return true;
	}
	control.sweep = 0;
	end = control.sweep_found;
	control.sweep_found = 0;
	return end != 0;
}

static int tick(void *map, __u32 *key, struct timer_cell *cell)
{
	bool is_touched, is_due, is_dirty;

	(void)map;
	(void)key;
	/* Before the word is read: who swaps it later than that finds no timer and starts one. */
	__sync_lock_test_and_set(&control.is_ticking, 0);
	is_touched = live_bank()->flags & STEER_BANK_TOUCHED;
	advance_clocks();
	is_due = follow_due();
	is_dirty = sweep_some(is_touched);
	if (is_touched || is_due || is_dirty)
		control.idle_ticks = 0;
	if (++control.idle_ticks <= STEER_IDLE_TICKS) {
		bpf_timer_start(&cell->timer, STEER_TICK_NS, 0);
		control.is_ticking = 1;
	}
	return 0;
}

/*
 * Run by user space: start the timer, or leave it running, for starting it again puts it off, and
 * commits may follow each other faster than it ticks. A timer that is new ticks nowhere yet.
 */
SEC("syscall")
int arm(void *unused)
{
	__u32 first = 0;
	struct timer_cell *cell = bpf_map_lookup_elem(&timers, &first);
	bool is_new;

	(void)unused;
	if (!cell)
		return -1;
	is_new = bpf_timer_init(&cell->timer, &timers, CLOCK_BOOTTIME) == 0; /* fails when it is */
	if (bpf_timer_set_callback(&cell->timer, tick))
		return -1;
	control.idle_ticks = 0;
	if (!is_new && *(volatile __u32 *)&control.is_ticking)
		return 0;
	control.is_ticking = 1;
	return (int)bpf_timer_start(&cell->timer, STEER_TICK_NS, 0);
}

#endif
