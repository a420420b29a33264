// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The drivers in the kernel, and one timed run of one of them.
 */
#include "bench/rig.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

double rig_time(const struct rig *rig, const struct run *run, const struct bpf_program *program,
		uint32_t repeat, uint32_t action)
{
	const struct frame *frame = &run->frame;
	struct xdp_md context = {.data_end = frame->size,
				 .ingress_ifindex = run->c->is_redirected ? 0 : rig->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes,
		    .data_size_in = frame->size, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = (int)repeat);
	double start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int error = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
	double spent = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;

	bench_check_signals(); /* or the run ended with EINTR */
	if (error)
		bench_fail("the kernel did not run the program: %s", strerror(-error));
	if (options.retval != action)
		bench_fail("XDP action %u instead of %u", options.retval, action);
	return spent / repeat;
}

static struct driver_bpf *open_driver(void)
{
	struct driver_bpf *driver = driver_bpf__open();

	if (!driver)
		bench_fail("cannot open the driver: %s", strerror(errno));
	return driver;
}

/* Load a driver that calls @program, or its own empty one if that is -1. */
static struct driver_bpf *load_driver(int program)
{
	struct driver_bpf *driver = open_driver();
	uint32_t first = 0;
	int error = driver_bpf__load(driver);

	if (error)
		bench_fail("cannot load the driver: %s", strerror(-error));
	if (program < 0)
		program = bpf_program__fd(driver->progs.empty);
	error = bpf_map__update_elem(driver->maps.under_test, &first, sizeof(first), &program,
				     sizeof(program), BPF_ANY);
	if (error)
		bench_fail("the driver cannot call the program: %s", strerror(-error));
	return driver;
}

/*
 * An attached program has its place in the kernel's XDP dispatcher, as steer has. For any other
 * one each test run makes a place and removes it again, and waits for a grace period both times.
 */
static void attach(const char *interface, const struct bpf_program *program)
{
	int error = bpf_xdp_attach((int)if_nametoindex(interface), bpf_program__fd(program),
				   XDP_FLAGS_DRV_MODE, NULL);

	if (error)
		bench_fail("cannot attach to %s: %s", interface, strerror(-error));
}

void rig_up(const struct edge *edge, struct rig *ret_rig)
{
	*ret_rig = (struct rig){
		.edge = edge,
		.to_empty = load_driver(-1),
		.to_steer = load_driver(edge->program_fd),
		.ifindex = if_nametoindex("edge0"),
	};
	/* They stay down and go with the network namespace. */
	if (system("ip link add bench0 type veth peer name bench1 && "
		   "ip link add bench2 type veth peer name bench3") != 0)
		bench_fail("cannot make interfaces for the driver");
	attach("bench0", ret_rig->to_empty->progs.empty);
	attach("bench1", ret_rig->to_empty->progs.driver);
	attach("bench2", ret_rig->to_steer->progs.driver);
}

void rig_down(const struct rig *rig)
{
	driver_bpf__destroy(rig->to_empty);
	driver_bpf__destroy(rig->to_steer);
}

static void set_driver(const struct run *run, struct driver_bpf *driver)
{
	const struct frame *frame = &run->frame;
	const uint8_t *ip = frame->bytes + frame->network;

	memcpy(&driver->bss->mac_low, frame->bytes, 8);
	memcpy(&driver->bss->mac_high, frame->bytes + 8, 4);
	driver->bss->header = 0;
	memcpy(&driver->bss->header, frame->family == 4 ? ip + 8 : ip + 7,
	       frame->family == 4 ? 4 : 1);
	driver->bss->frame_bytes = frame->size;
	driver->bss->network = frame->network;
	driver->bss->family = frame->family;
	driver->bss->client_mask = run->c->clients - 1;
	driver->bss->port_step = run->c->flow == FLOW_BIRTH;
}

void rig_set(const struct rig *rig, const struct run *run)
{
	set_driver(run, rig->to_empty);
	set_driver(run, rig->to_steer);
}

void measure_clang(char *text, size_t size)
{
	struct driver_bpf *driver = open_driver();

	(void)snprintf(text, size, "%s", driver->rodata->clang);
	driver_bpf__destroy(driver);
}
