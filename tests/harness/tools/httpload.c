// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * httpload: HTTP/1.0 GETs from many client addresses, and who answered how often. Used by the
 * demo and the netns tests; knows nothing of steer.
 */
#include <getopt.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness/tools/clients.h"

#define PARALLEL_MAX 1024
#define NAMES_MAX    64
#define NAME_TEXT    64
#define ANSWER_MAX   2048

struct connection {
	int fd; /* -1 is free */
	uint64_t client;
	int64_t deadline_ms;
	bool is_sent;
	size_t size;
	char answer[ANSWER_MAX];
};

struct tally {
	char name[NAME_TEXT];
	uint64_t count;
};

static struct {
	struct range sources;
	struct target target;
	uint64_t count; /* 0: one for each client */
	int64_t time_ms;
	int64_t wait_ms;
	unsigned int parallel;
	const char *path;
	bool shows_body;
	bool lists_clients;
} options = {.time_ms = 30000, .wait_ms = 3000, .parallel = 32, .path = "/"};

static struct connection connections[PARALLEL_MAX];
static struct tally tallies[NAMES_MAX];
static uint64_t errors;
static int epoll_fd;

static const char usage_text[] =
	"usage: httpload -s SOURCES [-n COUNT] [-t SECONDS] [-c PARALLEL] [-w WAIT_MS] [-p PATH]\n"
	"                [-b] [-l] ADDRESS:PORT\n"
	"  -s  FIRST, FIRST-LAST or a prefix; one client is an IPv4 address or an IPv6 /64\n"
	"  -n  connections, clients taken in turn (default: one for each client)\n"
	"  -t  stop after that long (30)    -c  at once (32)    -w  for one answer (3000)\n"
	"  -b  count whole body lines, not their first words\n"
	"  -l  print also `client ADDRESS NAME` for each answer\n"
	"prints `NAME COUNT` for each name, then `errors COUNT`; exit 1 if there were errors\n";

static void die(const char *what, const char *text)
{
	(void)fprintf(stderr, "httpload: %s '%s'\n%s", what, text, usage_text);
	exit(2);
}

static void print_client(uint64_t client, const char *name)
{
	char text[INET6_ADDRSTRLEN];

	(void)printf("client %s %s\n", client_text(&options.sources, client, text), name);
}

static void fail(uint64_t client, const char *what, int error)
{
	if (errors++ == 0)
		(void)fprintf(stderr, "httpload: first error: %s: %s\n", what, strerror(error));
	if (options.lists_clients)
		print_client(client, "error");
}

static void release(struct connection *connection)
{
	(void)close(connection->fd);
	connection->fd = -1;
}

static void start(struct connection *connection, uint64_t client)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
	int fd = socket(options.sources.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		fail(client, "socket", errno);
		return;
	}
	connection->fd = fd;
	connection->client = client;
	connection->deadline_ms = now_ms() + options.wait_ms;
	connection->is_sent = false;
	connection->size = 0;
	if (bind_client(fd, &options.sources, client)) {
		fail(client, "bind", errno);
		release(connection);
	} else if (connect(fd, (void *)&options.target.address, options.target.size) &&
		   errno != EINPROGRESS) {
		fail(client, "connect", errno);
		release(connection);
	} else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		fail(client, "epoll", errno);
		release(connection);
	}
}

static void count_answer(const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		if (tallies[i].count && strcmp(tallies[i].name, name) != 0)
			continue;
		(void)snprintf(tallies[i].name, sizeof(tallies[i].name), "%s", name);
		tallies[i].count++;
		return;
	}
	fail(0, "more names than there is room for", EOVERFLOW);
}

static void finish(struct connection *connection)
{
	char name[NAME_TEXT];
	char *body;

	connection->answer[connection->size] = '\0';
	body = strstr(connection->answer, "\r\n\r\n");
	if (strncmp(connection->answer, "HTTP/1.", 7) != 0 ||
	    strncmp(connection->answer + 8, " 200", 4) != 0 || !body || !body[4]) {
		fail(connection->client, "answer is not HTTP 200 with a body", EPROTO);
	} else {
		body += 4;
		body[strcspn(body, options.shows_body ? "\r\n" : " \r\n")] = '\0';
		(void)snprintf(name, sizeof(name), "%.*s", NAME_TEXT - 1, body);
		count_answer(name);
		if (options.lists_clients)
			print_client(connection->client, name);
	}
	release(connection);
}

static void send_request(struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	char request[512];
	int size = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: steer\r\n\r\n",
			    options.path);
	ssize_t sent = send(connection->fd, request, (size_t)size, MSG_NOSIGNAL);

	if (sent != size) {
		fail(connection->client, "connect or send", sent < 0 ? errno : EIO);
		release(connection);
		return;
	}
	connection->is_sent = true;
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static void receive(struct connection *connection)
{
	size_t room = ANSWER_MAX - 1 - connection->size;
	ssize_t size = recv(connection->fd, connection->answer + connection->size, room, 0);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size < 0) {
		fail(connection->client, "receive", errno);
		release(connection);
		return;
	}
	connection->size += (size_t)size;
	if (size == 0 || connection->size == ANSWER_MAX - 1)
		finish(connection);
}

static void expire(int64_t now)
{
	for (unsigned int i = 0; i < options.parallel; i++) {
		struct connection *connection = &connections[i];

		if (connection->fd < 0 || now < connection->deadline_ms)
			continue;
		fail(connection->client, connection->is_sent ? "answer" : "connect", ETIMEDOUT);
		release(connection);
	}
}

/* Start what may be started; returns how many connections are open. */
static unsigned int refill(uint64_t *started, bool may_start)
{
	unsigned int open_now = 0;

	for (unsigned int i = 0; i < options.parallel; i++) {
		struct connection *connection = &connections[i];

		if (connection->fd < 0 && may_start && *started < options.count)
			start(connection, (*started)++ % options.sources.clients);
		open_now += connection->fd >= 0;
	}
	return open_now;
}

static void run(void)
{
	struct epoll_event events[64];
	int64_t end_ms = now_ms() + options.time_ms;
	uint64_t started = 0;

	for (;;) {
		bool may_start = now_ms() < end_ms;
		unsigned int open_now = refill(&started, may_start);
		int ready;

		if (!open_now && (!may_start || started == options.count))
			return;
		ready = epoll_wait(epoll_fd, events, 64, open_now ? 50 : 0);
		for (int i = 0; i < ready; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection->is_sent)
				receive(connection);
			else
				send_request(connection);
		}
		expire(now_ms());
	}
}

static void parse_options(int argc, char **argv)
{
	const char *sources = NULL;
	int option;

	while ((option = getopt(argc, argv, "s:n:t:c:w:p:blh")) != -1) {
		switch (option) {
		case 's':
			sources = optarg;
			break;
		case 'n':
			options.count = parse_number(optarg, 1, 1000000000);
			break;
		case 't':
			options.time_ms = (int64_t)parse_number(optarg, 1, 86400) * 1000;
			break;
		case 'c':
			options.parallel = (unsigned int)parse_number(optarg, 1, PARALLEL_MAX);
			break;
		case 'w':
			options.wait_ms = (int64_t)parse_number(optarg, 1, 600000);
			break;
		case 'p':
			options.path = optarg;
			break;
		case 'b':
			options.shows_body = true;
			break;
		case 'l':
			options.lists_clients = true;
			break;
		case 'h':
			(void)fputs(usage_text, stdout);
			exit(0);
		default:
			die("unknown option in", argv[optind - 1]);
		}
	}
	if (!sources || optind != argc - 1 || strlen(options.path) > 400)
		die("sources and one target are needed, got", optind < argc ? argv[optind] : "");
	parse_sources(sources, &options.sources);
	parse_target(argv[optind], &options.target);
	if (options.target.address.ss_family != options.sources.family)
		die("sources and target are of different families:", argv[optind]);
	if (!options.count)
		options.count = options.sources.clients;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct tally *)left)->name, ((const struct tally *)right)->name);
}

int main(int argc, char **argv)
{
	size_t names = 0;

	parse_options(argc, argv);
	for (unsigned int i = 0; i < PARALLEL_MAX; i++)
		connections[i].fd = -1;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0) {
		perror("httpload: epoll");
		return 1;
	}
	run();
	while (names < NAMES_MAX && tallies[names].count)
		names++;
	qsort(tallies, names, sizeof(tallies[0]), by_name);
	for (size_t i = 0; i < names; i++)
		(void)printf("%s %llu\n", tallies[i].name, (unsigned long long)tallies[i].count);
	(void)printf("errors %llu\n", (unsigned long long)errors);
	return errors ? 1 : 0;
}
