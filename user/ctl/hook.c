// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/time_text.h"
#include "ctl/screen.h"

#define LOOK_MS	 20
#define GRACE_MS 5000 /* between SIGTERM and SIGKILL */

#define SHELL_NOT_EXECUTABLE 126
#define SHELL_NOT_FOUND	     127

int hook_check(const char *what, const char *command, struct diag *why)
{
	size_t length = strcspn(command, " \t\n");
	char file[PATH_MAX];
	struct stat facts;

	/* What the shell makes of anything else is known when it runs. */
	if (command[0] != '/' || length >= sizeof(file) ||
	    strcspn(command, "\"'\\$`*?[{(;&|<>") < length)
		return 0;
	(void)snprintf(file, sizeof(file), "%.*s", (int)length, command);
	if (stat(file, &facts) < 0)
		return diag_fail(why, -errno, "%s: cannot find %s: %m", what, file);
	if (S_ISDIR(facts.st_mode) || access(file, X_OK) < 0)
		return diag_fail(why, -EACCES, "%s: %s is not executable", what, file);
	return 0;
}

/* In the child. Signals as a shell expects them, none of our descriptors but the log. */
static void become(const struct hook *hook, int log, pid_t parent)
{
	sigset_t none;
	int input = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	/* Killed with -9 we must not leave a hook behind that works on a server unwatched. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(SHELL_NOT_EXECUTABLE);
	for (size_t i = 0; hook->environment[i]; i++)
		(void)putenv((char *)hook->environment[i]);
	if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		_exit(SHELL_NOT_EXECUTABLE);
	(void)execl("/bin/sh", "sh", "-c", hook->command, (char *)NULL);
	_exit(SHELL_NOT_FOUND);
}

static int judge(int status, const struct hook *hook, struct diag *why)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (code == 0)
		return 0;
	if (code == SHELL_NOT_EXECUTABLE)
		return diag_fail(why, -ECHILD, "it is not executable (%.200s)", hook->command);
	if (code == SHELL_NOT_FOUND)
		return diag_fail(why, -ECHILD, "a command was not found (%.200s)", hook->command);
	if (code > 0)
		return diag_fail(why, -ECHILD, "it exited with %d", code);
	return diag_fail(why, -ECHILD, "it was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until @until_ms at most. 1 = it ended, 0 = it did not, -EINTR: we are told to end. */
static int wait_until(pid_t child, int64_t until_ms, bool is_watching, int *ret_status)
{
	for (;;) {
		enum screen_event event;

		if (waitpid(child, ret_status, WNOHANG) == child)
			return 1;
		if (now_ms() >= until_ms)
			return 0;
		event = screen_wait(LOOK_MS);
		if (event == SCREEN_END && is_watching)
			return -EINTR;
	}
}

/* The whole group: what the hook started goes with it. */
static void end_group(pid_t child)
{
	int status;

	(void)kill(-child, SIGTERM);
	if (wait_until(child, now_ms() + GRACE_MS, false, &status) == 1) {
		(void)kill(-child, SIGKILL);
		return;
	}
	(void)kill(-child, SIGKILL);
	(void)waitpid(child, &status, 0);
}

static int watch(pid_t child, const struct hook *hook, struct diag *why)
{
	char most[DURATION_TEXT];
	int status = 0;
	int ended = wait_until(child, now_ms() + (int64_t)hook->most_ms, true, &status);

	if (ended > 0)
		return judge(status, hook, why);
	end_group(child);
	if (ended < 0)
		return diag_fail(why, -EINTR, "interrupted");
	return diag_fail(why, -ETIMEDOUT, "it did not end within %s and was ended",
			 duration_format(hook->most_ms, most));
}

int hook_run(const struct hook *hook, struct diag *why)
{
	auto_close int log = open(hook->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	pid_t parent = getpid(), child;
	char when[TIME_TEXT];

	if (log < 0)
		return diag_fail(why, -errno, "cannot open the log %s: %m", hook->log);
	(void)dprintf(log, "--- %s %s\n", time_format(time(NULL), when), hook->command);
	(void)fflush(NULL);
	child = fork();
	if (child < 0)
		return diag_fail(why, -errno, "cannot fork: %m");
	if (child == 0)
		become(hook, log, parent);
	(void)setpgid(child, child); /* whoever comes first */
	return watch(child, hook, why);
}
