// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * talk: long conversations and many short ones with echo servers, from many client addresses.
 *
 * Every byte must come back as it was sent. A long connection is of one of four kinds: idle most
 * of the time, for the whole run, or (twice) for some seconds and then another one. A connection
 * that is moved to another server breaks, for that server resets it. Who answered which new
 * connection, and when, goes to a log, by which misrouting is judged.
 */
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness/tools/clients.h"

#define PAIRS_MAX      8
#define LONG_MAX       4096
#define SHORT_MAX      1024
#define NAMES_MAX      64
#define NAME_TEXT      64
#define BLOCK_MAX      1400
#define COMPLAINTS_MAX 20
#define AGAIN_MS       100 /* after a failure */

enum state { FREE, CONNECTING, NAMING, WAITING, PAUSING };

struct connection {
	int fd;
	enum state state;
	bool is_short;
	unsigned int number; /* decides the kind and the pair */
	uint64_t client;
	int64_t born_us, end_ms;
	int64_t due_ms;		     /* of the next step, or the latest time for the server's */
	uint64_t sending, receiving; /* generators of the same bytes */
	uint64_t bytes;
	size_t size, sent, received; /* of the current block */
	size_t name_size;
	char name[NAME_TEXT];
	uint8_t block[BLOCK_MAX];
};

struct tally {
	char name[NAME_TEXT];
	uint64_t count;
};

static struct {
	struct range sources[PAIRS_MAX];
	struct target targets[PAIRS_MAX];
	unsigned int pairs, longs, shorts;
	int64_t time_ms, wait_ms, gap_ms;
	uint64_t seed;
	FILE *log;
} options = {.longs = 100, .shorts = 4, .time_ms = 10000, .wait_ms = 5000, .seed = 1};

static struct connection connections[LONG_MAX + SHORT_MAX];
static struct tally tallies[NAMES_MAX];
static struct {
	uint64_t established, broken, failed, short_ok, short_failed, bytes;
} counts;
static uint64_t turn; /* of clients for short connections */
static int epoll_fd;
static volatile sig_atomic_t is_asked_to_stop;

static const char usage_text[] =
	"usage: talk [-n LONG] [-m SHORT] [-g GAP_MS] [-t SECONDS] [-w WAIT_MS] [-r SEED] [-o "
	"LOG]\n"
	"            SOURCES TARGET [SOURCES TARGET]...\n"
	"  -n  long connections (100)      -m  short ones at once (4)   -g  and a gap after each "
	"(0)\n"
	"  -t  stop after that long (10)   -w  for a connection or an echo (5000)\n"
	"  -o  a line `BEGUN NAMED ADDRESS NAME` for each new connection, times in us since 1970\n"
	"SOURCES: FIRST, FIRST-LAST or a prefix; one client is an IPv4 address or an IPv6 /64\n"
	"prints counts; exit 1 if anything was broken or failed. SIGTERM ends it earlier.\n";

static void die(const char *what, const char *text)
{
	(void)fprintf(stderr, "talk: %s '%s'\n%s", what, text, usage_text);
	exit(2);
}

static void ask_to_stop(int signal_number)
{
	(void)signal_number;
	is_asked_to_stop = 1;
}

static int64_t real_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* xorshift64*; Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2014. */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static int64_t between(int64_t lowest, int64_t highest)
{
	return lowest + (int64_t)(draw(&options.seed) % (uint64_t)(highest - lowest + 1));
}

static const struct range *sources_of(const struct connection *connection)
{
	return &options.sources[connection->number % options.pairs];
}

static bool is_idle(const struct connection *connection)
{
	return !connection->is_short && connection->number / options.pairs % 4 == 0;
}

/* @again_ms: when another one may begin in its place */
static void release(struct connection *connection, int64_t again_ms)
{
	(void)close(connection->fd);
	connection->state = FREE;
	connection->due_ms = again_ms;
}

static void fail(struct connection *connection, const char *what)
{
	bool is_named = connection->state == WAITING || connection->state == PAUSING;
	char text[INET6_ADDRSTRLEN];
	uint64_t *count = connection->is_short ? &counts.short_failed
			  : is_named	       ? &counts.broken
					       : &counts.failed;

	++*count;
	if (counts.broken + counts.failed + counts.short_failed <= COMPLAINTS_MAX)
		(void)fprintf(stderr, "talk: %s from %s to %s, %lld ms old, %llu bytes: %s\n",
			      connection->is_short ? "short" : "long",
			      client_text(sources_of(connection), connection->client, text),
			      is_named ? connection->name : "nobody",
			      (long long)(real_us() - connection->born_us) / 1000,
			      (unsigned long long)connection->bytes, what);
	release(connection, now_ms() + AGAIN_MS);
}

static void await(struct connection *connection, uint32_t what)
{
	struct epoll_event event = {.events = what, .data.ptr = connection};

	(void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static int64_t life_ms(const struct connection *connection)
{
	return connection->number / options.pairs % 4 < 2 ? INT64_MAX / 2 : between(1000, 10000);
}

static void begin(struct connection *connection, int64_t now)
{
	const struct target *target = &options.targets[connection->number % options.pairs];
	const struct range *sources = sources_of(connection);
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
	int on = 1;

	connection->client = (connection->is_short ? turn++ : connection->number / options.pairs) %
			     sources->clients;
	connection->born_us = real_us();
	connection->due_ms = now + options.wait_ms;
	connection->end_ms = connection->is_short ? now : now + life_ms(connection);
	connection->sending = connection->receiving = draw(&options.seed) | 1;
	connection->bytes = connection->name_size = 0;
	connection->state = CONNECTING;
	connection->fd = socket(sources->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 || bind_client(connection->fd, sources, connection->client) ||
	    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) ||
	    (connect(connection->fd, (void *)&target->address, target->size) &&
	     errno != EINPROGRESS))
		fail(connection, strerror(errno));
}

static void send_rest(struct connection *connection)
{
	ssize_t size = send(connection->fd, connection->block + connection->sent,
			    connection->size - connection->sent, MSG_NOSIGNAL);

	if (size < 0 && errno != EAGAIN) {
		fail(connection, strerror(errno));
		return;
	}
	connection->sent += size > 0 ? (size_t)size : 0;
	await(connection, connection->sent < connection->size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_block(struct connection *connection, int64_t now)
{
	connection->size = (size_t)between(1, BLOCK_MAX);
	for (size_t i = 0; i < connection->size; i++)
		connection->block[i] = (uint8_t)(draw(&connection->sending) >> 56);
	connection->sent = connection->received = 0;
	connection->state = WAITING;
	connection->due_ms = now + options.wait_ms;
	send_rest(connection);
}

static void count_name(struct connection *connection)
{
	char text[INET6_ADDRSTRLEN];

	if (!connection->is_short)
		counts.established++;
	if (options.log)
		(void)fprintf(options.log, "%lld %lld %s %s\n", (long long)connection->born_us,
			      (long long)real_us(),
			      client_text(sources_of(connection), connection->client, text),
			      connection->name);
	for (int i = 0; i < NAMES_MAX; i++) {
		if (tallies[i].count && strcmp(tallies[i].name, connection->name) != 0)
			continue;
		(void)memcpy(tallies[i].name, connection->name, NAME_TEXT);
		tallies[i].count++;
		return;
	}
	die("more names than there is room for:", connection->name);
}

/* The server's first line. One byte at a time, for what follows is not its name. */
static void receive_name(struct connection *connection, int64_t now)
{
	char byte;
	ssize_t size;

	while ((size = recv(connection->fd, &byte, 1, 0)) == 1 && byte != '\n')
		if (connection->name_size < NAME_TEXT - 1)
			connection->name[connection->name_size++] = byte;
	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0) {
		fail(connection, size ? strerror(errno) : "closed before a name came");
		return;
	}
	memset(connection->name + connection->name_size, 0, NAME_TEXT - connection->name_size);
	count_name(connection);
	send_block(connection, now);
}

static void finish_block(struct connection *connection, int64_t now, bool is_stopping)
{
	counts.bytes += connection->size;
	connection->bytes += connection->size;
	if (connection->is_short || is_stopping || now >= connection->end_ms) {
		counts.short_ok += connection->is_short;
		release(connection, now + (connection->is_short ? options.gap_ms : 0));
		return;
	}
	connection->state = PAUSING;
	connection->due_ms = now + (is_idle(connection) ? between(4000, 12000) : between(5, 250));
}

static void receive_echo(struct connection *connection, int64_t now, bool is_stopping)
{
	uint8_t bytes[BLOCK_MAX];
	ssize_t size = recv(connection->fd, bytes, sizeof(bytes), 0);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0) {
		fail(connection, size ? strerror(errno) : "closed by the server");
		return;
	}
	for (ssize_t i = 0; i < size; i++) {
		if (bytes[i] != (uint8_t)(draw(&connection->receiving) >> 56)) {
			fail(connection, "wrong byte");
			return;
		}
	}
	connection->received += (size_t)size;
	if (connection->state == PAUSING || connection->received > connection->size)
		fail(connection, "more bytes than were sent");
	else if (connection->received == connection->size)
		finish_block(connection, now, is_stopping);
}

static void handle(struct connection *connection, uint32_t events, int64_t now, bool is_stopping)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (connection->state == FREE)
		return;
	if (connection->state == CONNECTING) {
		(void)getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error) {
			fail(connection, strerror(error));
			return;
		}
		connection->state = NAMING;
		await(connection, EPOLLIN);
	} else if (connection->state == NAMING) {
		receive_name(connection, now);
	} else if (events & EPOLLOUT && connection->sent < connection->size) {
		send_rest(connection);
	} else {
		receive_echo(connection, now, is_stopping);
	}
}

/* What time alone brings about. Returns whether the connection is open. */
static bool advance(struct connection *connection, int64_t now, bool is_stopping)
{
	if (connection->state == FREE && !is_stopping && now >= connection->due_ms)
		begin(connection, now);
	else if (connection->state == PAUSING && (is_stopping || now >= connection->due_ms))
		send_block(connection, now);
	else if (connection->state != FREE && connection->state != PAUSING &&
		 now >= connection->due_ms)
		fail(connection, connection->state == CONNECTING ? "no connection in time"
				 : connection->state == NAMING	 ? "no name in time"
								 : "no echo in time");
	return connection->state != FREE;
}

static void run(void)
{
	const unsigned int total = options.longs + options.shorts;
	int64_t end_ms = now_ms() + options.time_ms;
	struct epoll_event events[256];

	for (;;) {
		int64_t now = now_ms();
		bool is_stopping = is_asked_to_stop || now >= end_ms;
		unsigned int open_now = 0;
		int ready;

		for (unsigned int i = 0; i < total; i++)
			open_now += advance(&connections[i], now, is_stopping);
		if (is_stopping && !open_now)
			return;
		ready = epoll_wait(epoll_fd, events, 256, 5);
		for (int i = 0; i < ready; i++)
			handle(events[i].data.ptr, events[i].events, now, is_stopping);
	}
}

static void open_log(const char *path)
{
	options.log = fopen(path, "w");
	if (!options.log)
		die("cannot write log", path);
	setlinebuf(options.log);
}

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:m:g:t:w:r:o:h")) != -1) {
		if (option == 'n')
			options.longs = (unsigned int)parse_number(optarg, 0, LONG_MAX);
		else if (option == 'm')
			options.shorts = (unsigned int)parse_number(optarg, 0, SHORT_MAX);
		else if (option == 'g')
			options.gap_ms = (int64_t)parse_number(optarg, 0, 60000);
		else if (option == 't')
			options.time_ms = (int64_t)parse_number(optarg, 1, 86400) * 1000;
		else if (option == 'w')
			options.wait_ms = (int64_t)parse_number(optarg, 1, 600000);
		else if (option == 'r')
			options.seed = parse_number(optarg, 1, UINT64_MAX);
		else if (option == 'o')
			open_log(optarg);
		else
			die("see the usage:", argv[optind - 1]);
	}
	if (optind == argc || (argc - optind) % 2 || argc - optind > 2 * PAIRS_MAX)
		die("pairs of sources and target are needed, got",
		    optind < argc ? argv[optind] : "");
	for (; optind < argc; optind += 2, options.pairs++) {
		parse_sources(argv[optind], &options.sources[options.pairs]);
		parse_target(argv[optind + 1], &options.targets[options.pairs]);
		if (options.targets[options.pairs].address.ss_family !=
		    options.sources[options.pairs].family)
			die("sources and target are of different families:", argv[optind]);
	}
}

static void print_counts(void)
{
	const struct {
		const char *name;
		uint64_t count;
	} rows[] = {
		{"established", counts.established},
		{"broken", counts.broken},
		{"failed", counts.failed},
		{"short_ok", counts.short_ok},
		{"short_failed", counts.short_failed},
		{"bytes", counts.bytes},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)printf("%s %llu\n", rows[i].name, (unsigned long long)rows[i].count);
	for (size_t i = 0; i < NAMES_MAX && tallies[i].count; i++)
		(void)printf("at %s %llu\n", tallies[i].name, (unsigned long long)tallies[i].count);
}

int main(int argc, char **argv)
{
	struct sigaction stop = {.sa_handler = ask_to_stop};

	parse_options(argc, argv);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || sigaction(SIGTERM, &stop, NULL) || sigaction(SIGINT, &stop, NULL)) {
		perror("talk: epoll");
		return 1;
	}
	for (unsigned int i = 0; i < options.longs + options.shorts; i++) {
		connections[i].number = i;
		connections[i].is_short = i >= options.longs;
	}
	run();
	print_counts();
	if (options.log && fclose(options.log)) {
		perror("talk: log");
		return 1;
	}
	return counts.broken || counts.failed || counts.short_failed;
}
