// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * echo: a TCP server that says its name once, as a line, and then returns every byte it gets.
 *
 * The other end of talk: a connection that reached another server than the one it began with
 * would be reset, for only that one knows it. Runs in the foreground until SIGTERM; says
 * "listening" once it does. IPv4 and IPv6 on one port.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16384
#define BLOCK		16384 /* bytes held for one connection; no more is read before they left */

struct connection {
	int fd;
	size_t held, sent;
	char block[BLOCK];
};

static int epoll_fd;
static int open_now;
static char greeting[80];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (void *)&any, sizeof(any)) || listen(fd, 4096))
		die("echo: listen");
	return fd;
}

static void end_connection(struct connection *connection)
{
	(void)close(connection->fd);
	free(connection);
	open_now--;
}

static void await(struct connection *connection, uint32_t what)
{
	struct epoll_event event = {.events = what, .data.ptr = connection};

	(void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

/* Send what is held. Returns false when the connection is over. */
static bool flush(struct connection *connection)
{
	while (connection->sent < connection->held) {
		ssize_t size = send(connection->fd, connection->block + connection->sent,
				    connection->held - connection->sent, MSG_NOSIGNAL);

		if (size < 0 && errno == EAGAIN) {
			await(connection, EPOLLOUT);
			return true;
		}
		if (size <= 0)
			return false;
		connection->sent += (size_t)size;
	}
	await(connection, EPOLLIN);
	return true;
}

static bool receive(struct connection *connection)
{
	ssize_t size = recv(connection->fd, connection->block, BLOCK, 0);

	if (size < 0 && errno == EAGAIN)
		return true;
	if (size <= 0)
		return false;
	connection->held = (size_t)size;
	connection->sent = 0;
	return flush(connection);
}

static void accept_all(int listener)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct connection *connection;
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		connection = open_now < CONNECTIONS_MAX ? malloc(sizeof(*connection)) : NULL;
		if (!connection) {
			(void)close(fd);
			continue;
		}
		open_now++;
		connection->fd = fd;
		connection->sent = 0;
		connection->held = strlen(greeting);
		memcpy(connection->block, greeting, connection->held);
		event.data.ptr = connection;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) || !flush(connection))
			end_connection(connection);
	}
}

static void serve(int listener)
{
	struct epoll_event events[64];

	for (;;) {
		int ready = epoll_wait(epoll_fd, events, 64, -1);

		for (int i = 0; i < ready; i++) {
			struct connection *connection = events[i].data.ptr;

			if (!connection)
				accept_all(listener);
			else if (!(events[i].events & EPOLLOUT ? flush(connection)
							       : receive(connection)))
				end_connection(connection);
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {.rlim_cur = CONNECTIONS_MAX + 16, .rlim_max = CONNECTIONS_MAX + 16};
	struct epoll_event event = {.events = EPOLLIN};
	int listener, port = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;

	if (port < 1 || port > 65535 || strlen(argv[1]) >= sizeof(greeting) - 1) {
		(void)fprintf(stderr, "usage: echo NAME PORT\n");
		return 2;
	}
	(void)snprintf(greeting, sizeof(greeting), "%s\n", argv[1]);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on((uint16_t)port);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event))
		die("echo: epoll");
	(void)puts("listening");
	(void)fflush(stdout);
	serve(listener);
	return 0;
}
