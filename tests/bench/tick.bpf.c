// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tick: one tick of steer's timer, called instead of waited for. It is the timer's own callback,
 * compiled from the same header and run on the instance's maps; what differs is that a process
 * runs it, and not an interrupt.
 */
#include "../../bpf/timer.bpf.h"

__u64 spent_ns;

SEC("syscall")
int timed_tick(void *unused)
{
	__u32 first = 0;
	struct timer_cell *cell = bpf_map_lookup_elem(&timers, &first);
	__u64 start = bpf_ktime_get_ns();

	(void)unused;
	if (!cell)
		return -1;
	tick(&timers, &first, cell);
	spent_ns = bpf_ktime_get_ns() - start;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
