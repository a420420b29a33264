// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reading the command line. Exact names only, options before or after the command, and shares
 * like -5% reach their command, which knows what is wrong with them.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/suggest.h"
#include "ctl/commands.h"

#define OPTIONS_MAX 48 /* rows of the table and the empty one after them */

enum option_key { KEY_LONG = 256 }; /* + row of the table, for options without a letter */

#define MARK '\001' /* before an argument that looks like an option and is a number */

static char *unmark(char *text)
{
	return text[0] == MARK ? text + 1 : text;
}

static char **mark_numbers(int argc, char **argv)
{
	char **marked = calloc((size_t)argc + 1, sizeof(*marked));

	for (int i = 0; marked && i < argc; i++) {
		const char *text = argv[i];

		if (text[0] == '-' && (isdigit((unsigned char)text[1]) || text[1] == '.')) {
			if (asprintf(&marked[i], "%c%s", MARK, text) < 0)
				return NULL;
		} else {
			marked[i] = argv[i];
		}
	}
	return marked;
}

int arguments_unknown_command(struct run *run, const char *name)
{
	struct suggestion near = {.wanted = name};
	char text[SUGGEST_TEXT];

	for (const struct command *c = commands; c->name; c++)
		suggest_offer(&near, c->name);
	return diag_fail(&run->why, STATUS_USAGE, "there is no command '%s'%s; see 'steerctl help'",
			 name, suggest_text(&near, text));
}

static int refuse_option(struct run *run, int key, const char *text)
{
	struct suggestion near = {.wanted = text};
	char buffer[SUGGEST_TEXT];

	if (key == ':')
		return diag_fail(&run->why, STATUS_USAGE, "option '%s' needs a value", text);
	while (*near.wanted == '-')
		near.wanted++;
	for (size_t i = 0; i < n_option_rows; i++)
		suggest_offer(&near, option_rows[i].name);
	return diag_fail(&run->why, STATUS_USAGE, "there is no option '%s'%s; see 'steerctl help'",
			 text, suggest_text(&near, buffer));
}

static void build_getopt(struct option *options, char *letters)
{
	*letters++ = ':';
	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		options[i].name = row->name;
		options[i].has_arg = row->argument ? required_argument : no_argument;
		options[i].val = KEY_LONG + (int)i;
		if (!row->letter)
			continue;
		*letters++ = row->letter;
		if (row->argument)
			*letters++ = ':';
	}
	*letters = '\0';
}

static const struct option_row *row_of(int key)
{
	if (key >= KEY_LONG)
		return &option_rows[key - KEY_LONG];
	for (size_t i = 0; i < n_option_rows; i++)
		if (option_rows[i].letter == key)
			return &option_rows[i];
	return NULL;
}

/* Exact names only: getopt_long would take --d for --dry-run. */
static bool is_exact(char *const *argv, const struct option_row *row, int key)
{
	for (int i = optind - 1; key >= KEY_LONG && i > 0 && i >= optind - 2; i--) {
		size_t length = strcspn(argv[i], "=");

		if (strncmp(argv[i], "--", 2) == 0 && length == strlen(row->name) + 2 &&
		    strncmp(argv[i] + 2, row->name, length - 2) == 0)
			return true;
	}
	return key < KEY_LONG;
}

/* A word as a shell would take it again. */
static void add_word(struct diag *text, const char *word)
{
	bool is_plain = word[0] && !word[strcspn(word, " \t\n\"'\\$*?;&|<>()")];

	diag_add(text, is_plain ? "%s%s" : "%s'%s'", text->text[0] ? " " : "", word);
}

/* What decides is journalled, as typed; what only says where or how is not. */
static void remember_option(const struct option_row *row, const char *value, struct diag *typed)
{
	char name[40];

	if (row->letter)
		(void)snprintf(name, sizeof(name), "-%c", row->letter);
	else
		(void)snprintf(name, sizeof(name), "--%s", row->name);
	add_word(typed, name);
	if (value)
		add_word(typed, value);
}

static int take_option(struct run *run, const struct option_row *row, const char *value)
{
	char *field = (char *)&run->options + row->offset;

	if (row->take)
		return row->take(&run->options, value, &run->why);
	if (row->argument)
		*(const char **)(void *)field = value;
	else
		*(bool *)field = true;
	return 0;
}

static int read_options(struct run *run, int argc, char **argv, uint64_t *ret_seen,
			struct diag *typed)
{
	struct option options[OPTIONS_MAX] = {0};
	char letters[2 * OPTIONS_MAX];
	int key, result = 0;

	build_getopt(options, letters);
	opterr = 0;
	while (!result && (key = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const struct option_row *row = row_of(key);
		const char *value = optarg ? unmark(optarg) : NULL;
		char letter[3] = {'-', (char)optopt, '\0'};

		if (!row || !is_exact(argv, row, key)) {
			bool is_letter = !row && optopt > 0 && optopt < KEY_LONG;

			result = refuse_option(run, row ? '?' : key,
					       is_letter ? letter : unmark(argv[optind - 1]));
			continue;
		}
		*ret_seen |= 1ULL << (row - option_rows);
		if (row->is_journalled)
			remember_option(row, value, typed);
		result = take_option(run, row, value);
	}
	return result;
}

bool option_is_of(const struct option_row *row, const char *command)
{
	size_t length = strlen(command);

	for (const char *at = row->command; at && *at; at += strspn(at, " ")) {
		if (strncmp(at, command, length) == 0 && (at[length] == ' ' || !at[length]))
			return true;
		at += strcspn(at, " ");
	}
	return !row->command;
}

static int check_usage(struct run *run, uint64_t seen)
{
	const struct command *c = run->command;

	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		if ((seen >> i & 1) && !option_is_of(row, c->name))
			return diag_fail(&run->why, STATUS_USAGE, "--%s is an option of '%s' only",
					 row->name, row->command);
	}
	if (run->options.service && run->options.all)
		return diag_fail(&run->why, STATUS_USAGE, "-s and --all exclude each other");
	if (run->n_arguments >= c->min_arguments &&
	    (c->max_arguments < 0 || run->n_arguments <= c->max_arguments))
		return 0;
	if (c->max_arguments == 0)
		return diag_fail(&run->why, STATUS_USAGE, "'%s' takes no argument, not '%s'",
				 c->name, run->arguments[0]);
	return diag_fail(&run->why, STATUS_USAGE, "usage: steerctl %s %s", c->name, c->arguments);
}

/* "set canary 5% -s shop": command, arguments, then the options that decide. */
static void remember_typed(struct run *run, const char *options)
{
	struct diag typed = {0};

	add_word(&typed, run->command->name);
	for (int i = 0; i < run->n_arguments; i++)
		add_word(&typed, run->arguments[i]);
	diag_add(&typed, "%s%s", options[0] ? " " : "", options);
	(void)snprintf(run->typed, sizeof(run->typed), "%.255s", typed.text);
}

int arguments_read(struct run *run, int argc, char **argv)
{
	char **marked = mark_numbers(argc, argv);
	struct diag typed = {0};
	uint64_t seen = 0;
	int result;

	if (!marked)
		return diag_fail(&run->why, -ENOMEM, "memory is short");
	run->arguments = marked; /* kept until the process ends, also where it ends early */
	result = read_options(run, argc, marked, &seen, &typed);
	if (result)
		return result;
	for (int i = optind; i < argc; i++)
		marked[i] = unmark(marked[i]);
	run->arguments += optind;
	run->n_arguments = argc - optind;
	if (run->options.version)
		return 0;
	run->command = command_find(run->n_arguments ? run->arguments[0] : "status");
	if (run->options.help) {
		run->command = command_find("help");
		return 0;
	}
	if (!run->command)
		return arguments_unknown_command(run, run->arguments[0]);
	if (run->n_arguments) {
		run->arguments++;
		run->n_arguments--;
	}
	remember_typed(run, typed.text);
	return check_usage(run, seen);
}
