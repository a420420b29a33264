// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * flood: forged TCP packets at a given rate, sent by an interface as live frames of
 * BPF_PROG_TEST_RUN, see flood.bpf.c.
 *
 * A veth delivers such frames only if its peer has an XDP program; without one they vanish, and
 * nothing says so. The count printed is of frames sent.
 */
#include <getopt.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include "harness/tools/clients.h"
#include "tests/harness/flood.skel.h"

#define RATE_MAX 10000000
#define TURN_MS	 20 /* frames of that long in one system call, whose preparation takes 2 ms */

struct packet {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static volatile sig_atomic_t is_asked_to_stop;

static const char usage_text[] =
	"usage: flood [-r PER_SECOND] [-t SECONDS] [-f FLAGS] INTERFACE MAC SOURCES TARGET\n"
	"  -r  packets per second (500000)   -t  stop after that long (10); SIGTERM earlier\n"
	"  -f  four letters, drawn at random: S SYN, F FIN+ACK, R RST, A ACK (SFRA)\n"
	"MAC is the next hop's, SOURCES an IPv4 prefix, TARGET ADDRESS:PORT\n"
	"prints `sent COUNT`\n";

static void die(const char *what, const char *text)
{
	(void)fprintf(stderr, "flood: %s '%s'\n%s", what, text, usage_text);
	exit(2);
}

static void give_up(const char *what)
{
	(void)fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void ask_to_stop(int signal_number)
{
	(void)signal_number;
	is_asked_to_stop = 1;
}

static uint32_t parse_flags(const char *text)
{
	uint32_t sets = 0;

	if (strlen(text) != 4)
		die("not four letters:", text);
	for (int i = 0; i < 4; i++) {
		uint32_t flags = text[i] == 'S'	  ? TH_SYN
				 : text[i] == 'F' ? TH_FIN | TH_ACK
				 : text[i] == 'R' ? TH_RST
				 : text[i] == 'A' ? TH_ACK
						  : 0;

		if (!flags)
			die("not one of S, F, R, A:", text);
		sets |= flags << 8 * i;
	}
	return sets;
}

static void build_packet(const char *mac, const struct target *target, struct packet *ret_packet)
{
	const struct sockaddr_in *to = (const void *)&target->address;
	struct packet packet = {.ethernet.h_proto = htons(ETH_P_IP)};

	if (!ether_aton_r(mac, (struct ether_addr *)packet.ethernet.h_dest))
		die("not a MAC address:", mac);
	packet.ip = (struct iphdr){.version = 4,
				   .ihl = 5,
				   .ttl = 64,
				   .protocol = IPPROTO_TCP,
				   .tot_len = htons(sizeof(packet.ip) + sizeof(packet.tcp)),
				   .daddr = to->sin_addr.s_addr};
	packet.tcp = (struct tcphdr){.doff = 5, .dest = to->sin_port, .window = htons(1024)};
	*ret_packet = packet;
}

static uint32_t header_sum(const void *ip)
{
	uint16_t words[10];
	uint32_t sum = 0;

	memcpy(words, ip, sizeof(words));
	for (int i = 0; i < 10; i++)
		sum += ntohs(words[i]);
	return sum;
}

static struct flood_bpf *load(const struct range *sources, const struct packet *packet,
			      uint32_t flags)
{
	struct flood_bpf *flood = flood_bpf__open();

	if (!flood)
		give_up("cannot open the program");
	memcpy(flood->rodata->template, packet, sizeof(*packet));
	flood->rodata->first_source = (uint32_t)get_number(AF_INET, sources->first);
	flood->rodata->source_mask = (uint32_t)sources->clients - 1;
	flood->rodata->fixed_sum = header_sum(&packet->ip);
	flood->rodata->flag_sets = flags;
	if (flood_bpf__load(flood))
		give_up("cannot load the program");
	return flood;
}

/* Send @count frames. Returns how many were sent, 0 on error. */
static uint32_t send_frames(int program_fd, uint32_t ifindex, const struct packet *packet,
			    uint32_t count)
{
	struct xdp_md context = {.data_end = sizeof(*packet), .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(*packet),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

	if (!bpf_prog_test_run_opts(program_fd, &run))
		return count;
	return errno == EINTR ? 1 : 0;
}

/* What is behind the rate is not caught up with: a flood in bursts is another one. */
static uint64_t run(int program_fd, uint32_t ifindex, const struct packet *packet, uint64_t rate,
		    int64_t time_ms)
{
	const struct timespec turn = {.tv_nsec = TURN_MS * 1000000};
	int64_t end_ms = now_ms() + time_ms, last = now_ms();
	uint64_t sent = 0;

	while (!is_asked_to_stop && last < end_ms) {
		int64_t now = now_ms();
		int64_t gone_ms = now - last > 5 * TURN_MS ? 5 * TURN_MS : now - last;
		uint32_t count = (uint32_t)(rate * (uint64_t)gone_ms / 1000);

		last = now;
		if (count) {
			uint32_t done = send_frames(program_fd, ifindex, packet, count);

			if (!done)
				give_up("cannot send");
			sent += done;
		}
		(void)nanosleep(&turn, NULL);
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct sigaction stop = {.sa_handler = ask_to_stop};
	uint32_t flags = parse_flags("SFRA"), ifindex;
	uint64_t rate = 500000, seconds = 10;
	struct flood_bpf *flood;
	struct packet packet;
	struct target target;
	struct range sources;
	int option;

	while ((option = getopt(argc, argv, "r:t:f:h")) != -1) {
		if (option == 'r')
			rate = parse_number(optarg, 1, RATE_MAX);
		else if (option == 't')
			seconds = parse_number(optarg, 1, 86400);
		else if (option == 'f')
			flags = parse_flags(optarg);
		else
			die("see the usage:", argv[optind - 1]);
	}
	if (optind != argc - 4)
		die("interface, MAC, sources and target are needed after", argv[optind - 1]);
	ifindex = if_nametoindex(argv[optind]);
	parse_sources(argv[optind + 2], &sources);
	parse_target(argv[optind + 3], &target);
	if (!ifindex || sources.family != AF_INET || target.address.ss_family != AF_INET)
		die("no such interface, or not IPv4:", argv[optind]);
	build_packet(argv[optind + 1], &target, &packet);
	flood = load(&sources, &packet, flags);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)printf("sent %llu\n",
		     (unsigned long long)run(bpf_program__fd(flood->progs.forge), ifindex, &packet,
					     rate, (int64_t)seconds * 1000));
	flood_bpf__destroy(flood);
	return 0;
}
