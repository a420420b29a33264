// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/own.h"

/* xterm's controls, which every terminal of today knows (ECMA-48, and DEC private modes). */
#define OTHER_SCREEN "\033[?1049h\033[?25l"
#define BACK	     "\033[?25h\033[?1049l"
#define TO_THE_TOP   "\033[H"
#define NO_COLOR     "\033[m"
#define CLEAR_LINE   "\033[K"
#define CLEAR_BELOW  "\033[J"

static struct {
	int signals; /* descriptor */
	bool is_terminal;
	struct termios before;
} screen = {.signals = -1};

static void put(const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(STDOUT_FILENO, bytes, size);

		if (written < 0 && errno != EINTR)
			return; /* nobody to tell */
		bytes += written > 0 ? written : 0;
		size -= written > 0 ? (size_t)written : 0;
	}
}

static void take_terminal(void)
{
	struct termios raw;

	if (!screen.is_terminal)
		return;
	raw = screen.before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	put(OTHER_SCREEN, strlen(OTHER_SCREEN));
}

static void give_terminal_back(void)
{
	if (!screen.is_terminal)
		return;
	put(BACK, strlen(BACK));
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

int screen_begin(bool is_terminal)
{
	static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		(void)sigaddset(&set, watched[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	screen.signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (screen.signals < 0)
		return -errno;
	screen.is_terminal = is_terminal && tcgetattr(STDIN_FILENO, &screen.before) == 0;
	take_terminal();
	return 0;
}

void screen_end(void)
{
	give_terminal_back();
	own_close(&screen.signals);
	screen.signals = -1;
}

void screen_size(size_t *ret_columns, size_t *ret_lines)
{
	struct winsize size = {0};

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_lines = size.ws_row ? size.ws_row : 24;
}

/* Bytes of a line that fill at most @columns; controls of colour take no room. */
static size_t fitting(const char *line, size_t length, size_t columns)
{
	size_t at = 0;

	while (at < length) {
		if (line[at] == '\033') {
			while (at < length && line[at] != 'm')
				at++;
		} else if (((unsigned char)line[at] & 0xc0) != 0x80) { /* not inside UTF-8 */
			if (columns-- == 0)
				return at;
		}
		at++;
	}
	return length;
}

/* What is past the right or the bottom would scroll the screen away: it is left out. */
void screen_show(const char *text)
{
	static const char more[] = "(more below: a taller window or -s SERVICE shows it)";
	size_t columns, lines, size;
	auto_free char *bytes = NULL;
	FILE *out = open_memstream(&bytes, &size);

	if (!out)
		return;
	screen_size(&columns, &lines);
	fputs(TO_THE_TOP, out);
	for (size_t line = 0; line < lines && *text; line++) {
		size_t length = strcspn(text, "\n");

		if (line + 1 == lines && text[length] && text[length + 1]) {
			text = more;
			length = strlen(more);
		}
		(void)fwrite(text, 1, fitting(text, length, columns), out);
		fputs(NO_COLOR CLEAR_LINE, out);
		text += length;
		text += *text == '\n';
		if (*text && line + 1 < lines)
			fputs("\r\n", out);
	}
	fputs(CLEAR_BELOW, out);
	if (fclose(out) == 0)
		put(bytes, size);
}

static void suspend(void)
{
	give_terminal_back();
	(void)raise(SIGSTOP);
	take_terminal();
}

static enum screen_event take_signal(void)
{
	struct signalfd_siginfo info;

	if (read(screen.signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return SCREEN_END;
	switch (info.ssi_signo) {
	case SIGTSTP:
		suspend();
		return SCREEN_DRAW;
	case SIGCONT:
	case SIGWINCH:
		return SCREEN_DRAW;
	default:
		return SCREEN_END;
	}
}

enum screen_event screen_wait(int milliseconds)
{
	struct pollfd watched[] = {
		{.fd = screen.signals, .events = POLLIN},
		{.fd = screen.is_terminal ? STDIN_FILENO : -1, .events = POLLIN}};
	int ready = poll(watched, ARRAY_SIZE(watched), milliseconds);
	char key;

	if (ready < 0)
		return errno == EINTR ? SCREEN_TICK : SCREEN_END;
	if (watched[0].revents)
		return take_signal();
	if (!watched[1].revents)
		return SCREEN_TICK;
	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
		return SCREEN_END;
	return SCREEN_DRAW;
}
