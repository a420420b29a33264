// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * killat: end or stop a command at one of its system calls.
 *
 *   killat COMMAND...        run it; print how many calls it entered, on standard error
 *   killat -k N COMMAND...   SIGKILL at the entry of call N, which is not executed; exits with 137
 *   killat -s N COMMAND...   SIGSTOP at the entry of call N, which still is; print "stopped PID"
 *                            on standard error and wait until somebody continues or ends it
 *   -f flock|fdatasync       count from the first call of this name, which is call 1 (else from
 *                            execve)
 *
 * Exits with the command's status, or 128 + signal; 125 when killat itself cannot go on. Follows
 * the first process only: steerctl has one.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT	125
#define NO_CALL UINT64_MAX

struct plan {
	int signal; /* 0 = only count */
	unsigned long at;
	unsigned long calls;
	uint64_t first; /* count from this call on; NO_CALL = already counting */
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	(void)fprintf(stderr, "killat: ");
	(void)vfprintf(stderr, format, args);
	(void)fprintf(stderr, ": %s\n", strerror(error));
	va_end(args);
	exit(CANNOT);
}

static pid_t start(char *const *command)
{
	pid_t child = fork();

	if (child < 0)
		die("cannot fork");
	if (child > 0)
		return child;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		die("cannot be traced");
	(void)raise(SIGSTOP);
	(void)execvp(command[0], command);
	die("cannot run %s", command[0]);
}

static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int wait_end(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0)
		die("cannot wait for %d", (int)child);
	return status_of(status);
}

/* The child is at the entry of a call. Is it the one? Then it is no longer traced. */
static int reached(pid_t child, struct plan *plan)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) < 0)
		die("cannot look at %d", (int)child);
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return 0;
	if (info.entry.nr == plan->first)
		plan->first = NO_CALL;
	if (plan->first != NO_CALL)
		return 0;
	plan->calls++;
	if (plan->signal == 0 || plan->calls != plan->at)
		return 0;
	if (kill(child, plan->signal) < 0)
		die("cannot signal %d", (int)child);
	if (plan->signal == SIGSTOP) {
		(void)ptrace(PTRACE_DETACH, child, NULL, NULL);
		(void)fprintf(stderr, "stopped %d\n", (int)child);
	}
	return 1;
}

/* From execve on, stop by stop. */
static int follow(pid_t child, struct plan *plan)
{
	int status, deliver = 0, is_running = 0;

	for (;;) {
		if (waitpid(child, &status, 0) < 0)
			die("cannot wait for %d", (int)child);
		if (!WIFSTOPPED(status))
			return status_of(status);
		deliver = 0;
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			is_running = 1;
		else if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			deliver = WSTOPSIG(status);
		else if (is_running && reached(child, plan))
			return wait_end(child);
		if (ptrace(PTRACE_SYSCALL, child, NULL, (long)deliver) < 0 && errno != ESRCH)
			die("cannot continue %d", (int)child);
	}
}

static int trace(char *const *command, struct plan *plan)
{
	const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
	pid_t child = start(command);
	int status;

	if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, child, NULL, options) < 0 ||
	    ptrace(PTRACE_SYSCALL, child, NULL, NULL) < 0)
		die("cannot trace %s", command[0]);
	return follow(child, plan);
}

static uint64_t call_number(const char *name)
{
	if (strcmp(name, "flock") == 0)
		return SYS_flock;
	if (strcmp(name, "fdatasync") == 0)
		return SYS_fdatasync;
	errno = EINVAL;
	die("cannot count from '%s', only from flock or fdatasync", name);
}

static void __attribute__((noreturn)) usage(void)
{
	(void)fprintf(stderr, "usage: killat [-f flock|fdatasync] [-k N | -s N] COMMAND...\n");
	exit(2);
}

int main(int argc, char **argv)
{
	struct plan plan = {.first = NO_CALL};
	int option, status;

	while ((option = getopt(argc, argv, "+f:k:s:")) != -1) {
		if (option == 'f')
			plan.first = call_number(optarg);
		else if (option == 'k' || option == 's')
			plan.at = strtoul(optarg, NULL, 10);
		if (option == '?' || (option != 'f' && plan.at == 0))
			usage();
		if (option != 'f')
			plan.signal = option == 'k' ? SIGKILL : SIGSTOP;
	}
	if (optind >= argc)
		usage();
	status = trace(argv + optind, &plan);
	if (plan.signal == 0)
		(void)fprintf(stderr, "%lu\n", plan.calls);
	return status;
}
