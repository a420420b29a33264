// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What steerctl says and how it exits: one factual line and the way back, or one error sentence,
 * or one JSON object. No other file decides an exit status from an errno.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"

void diag_add(struct diag *diag, const char *format, ...)
{
	size_t length = strlen(diag->text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(diag->text + length, sizeof(diag->text) - length, format, args);
	va_end(args);
}

static int exit_status(int result)
{
	switch (result) {
	case -EINVAL:
	case -ERANGE:
	case -E2BIG:
		return STATUS_USAGE;
	case -ENOENT:
		return STATUS_UNKNOWN_NAME;
	case -EBUSY:
		return STATUS_LOCKED;
	case -ETIMEDOUT:
		return STATUS_TIMED_OUT;
	case -ESTALE:
		return STATUS_MEANWHILE;
	case -EIO:
	case -EPROTO:
	case -EFAULT:
	case -EOPNOTSUPP:
		return STATUS_KERNEL_REFUSED;
	case -EPERM:
	case -EACCES:
		return STATUS_PERMISSION;
	default: /* -ENOTCONN, next hops, the journal's files */
		return result < 0 ? STATUS_FAILED : result;
	}
}

bool run_prints(const struct run *run)
{
	return !run->options.json && !run->options.quiet;
}

/*
 * Sentences quote what was read: files and arguments of any bytes. What would steer a terminal or
 * is not UTF-8, and so could not be JSON, becomes '?'.
 */
static void make_printable(struct diag *diag)
{
	json_t *json = json_string(diag->text);
	bool is_utf8 = json != NULL;

	json_decref(json);
	for (char *at = diag->text; *at; at++) {
		unsigned char byte = (unsigned char)*at;

		if ((byte < 0x20 && byte != '\n') || byte == 0x7f || (byte >= 0x80 && !is_utf8))
			*at = '?';
	}
}

/* One warning for each line of @text. */
void run_warn(struct run *run, const char *text)
{
	struct diag warning;
	char *line, *rest;

	(void)diag_fail(&warning, 0, "%s", text);
	make_printable(&warning);
	for (line = strtok_r(warning.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (run->options.json)
			(void)json_array_append_new(run->warnings, json_string(line));
		else
			fprintf(stderr, "steerctl: warning: %s\n", line);
}

void json_add(json_t *list, json_t *item)
{
	(void)json_array_append_new(list, item);
}

void run_undo_text(const struct run *run, struct diag *ret_text)
{
	const char *instance = run->options.place.instance;

	ret_text->text[0] = '\0';
	diag_add(ret_text, "steerctl %.1900s", run->undo.text);
	if (strcmp(instance, "default") != 0)
		diag_add(ret_text, " --instance %s", instance);
}

static json_t *reply_json(struct run *run, int status, bool is_ok)
{
	json_t *reply = json_pack(
		"{s:s, s:b, s:i, s:s?, s:s?, s:{s:I, s:I}, s:O, s:{s:I, s:I, s:I}, s:O}", "schema",
		"steer/1", "ok", is_ok, "code", status, "command",
		run->command ? run->command->name : NULL, "service",
		run->service[0] ? run->service : NULL, "revision", "before",
		(json_int_t)run->before, "after", (json_int_t)run->after, "changes", run->changes,
		"moved", "forward", (json_int_t)run->forward, "back", (json_int_t)run->back,
		"within", (json_int_t)run->within, "warnings", run->warnings);

	if (!reply)
		return NULL;
	if (!is_ok && !run->is_committed) /* nothing was changed, whatever had been planned */
		(void)json_object_set_new(reply, "changes", json_array());
	if (!is_ok)
		(void)json_object_set_new(reply, "error", json_string(run->why.text));
	if ((is_ok || run->is_committed) && run->line.text[0])
		(void)json_object_set_new(reply, "message", json_string(run->line.text));
	if ((is_ok || run->is_committed) && run->undo.text[0]) {
		struct diag undo;

		run_undo_text(run, &undo);
		(void)json_object_set_new(reply, "undo", json_string(undo.text));
	}
	(void)json_object_update_missing(reply, run->json);
	return reply;
}

static int print_json(struct run *run, int status, bool is_ok)
{
	json_t *reply = reply_json(run, status, is_ok);
	int result = reply ? json_dumpf(reply, stdout, JSON_COMPACT) : -1;

	(void)putchar('\n');
	json_decref(reply);
	return result;
}

static void print_text(const struct run *run)
{
	if (run->line.text[0])
		puts(run->line.text);
	if (run->more.text[0])
		puts(run->more.text);
	if (run->undo.text[0]) {
		struct diag undo;

		run_undo_text(run, &undo);
		printf("undo: %s\n", undo.text);
	}
}

static void print_error(struct run *run, int result)
{
	if (!run->why.text[0])
		(void)diag_fail(&run->why, result, "%s",
				result < 0 ? strerror(-result) : "it did not work");
	make_printable(&run->why);
	if (!run->options.json)
		fprintf(stderr, "steerctl: %s\n", run->why.text);
}

int run_finish(struct run *run, int result)
{
	int status = exit_status(result);
	bool is_ok = status == STATUS_DONE || status == STATUS_WOULD_CHANGE;

	if (!is_ok)
		print_error(run, result);
	make_printable(&run->line);
	make_printable(&run->undo);
	if (run->options.json && print_json(run, status, is_ok) < 0)
		status = is_ok ? STATUS_FAILED : status;
	if ((is_ok || run->is_committed) && run_prints(run))
		print_text(run);
	if (fflush(stdout) != 0 && is_ok) {
		fprintf(stderr, "steerctl: cannot write the answer: %m\n");
		return STATUS_FAILED;
	}
	return status;
}
