// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * steerctl: the table of commands and of options, and reading the command line. Help, completion
 * and the check of the manual come from the same two tables.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "ctl/commands.h"

#define MOVES_OPEN                                                                                 \
	"A commit takes effect at once and for everybody: connections that are open in the\n"      \
	"slots that move go to the other pool with their next packet."

const struct command commands[] = {
	{"up", "", "load, install and attach; adopt what runs already", NEEDS_CONFIG, 0, 0, cmd_up,
	 NULL},
	{"down", "", "detach and unpin; the state on disk is kept", NEEDS_WRITE, 0, 0, cmd_down,
	 "Traffic is no longer steered afterwards. Asks on a terminal unless --yes is given."},
	{"apply", "", "take changes of the configuration file over", NEEDS_CONFIG, 0, 0, cmd_apply,
	 "Shares, weights set by hand and states stay as they are."},
	{"check", "", "only check the configuration file", NEEDS_CONFIG, 0, 0, cmd_check, NULL},
	{"status", "", "show pools, shares, backends and the revision", NEEDS_READ, 0, 0,
	 cmd_status, NULL},
	{"set", "POOL SHARE [POOL SHARE ...]", "give each POOL that share of the clients",
	 NEEDS_WRITE, 2, -1, cmd_set,
	 "SHARE is 5%, 0.25% or 1/400. The active pool gives or takes.\n" MOVES_OPEN},
	{"get", "[POOL]", "print shares as 'set' takes them", NEEDS_READ, 0, 1, cmd_get, NULL},
	{"switch", "POOL", "make POOL active; it takes all slots of the active pool", NEEDS_WRITE,
	 1, 1, cmd_switch, MOVES_OPEN},
	{"rollback", "[--step] [--to REV|TAG]", "go back to the base of the current release",
	 NEEDS_WRITE, 0, 0, cmd_rollback,
	 "--step goes one commit back, --to to any revision. Only shares, active pool and cohort\n"
	 "go back; backend states and weights stay. With -s, of that service alone.\n" MOVES_OPEN},
	{"weight", "NAME N", "set the weight of backend NAME, 0 to 1000", NEEDS_WRITE, 2, 2,
	 cmd_weight, NULL},
	{"explain", "ADDR[:PORT]", "say which backend a client meets, and why", NEEDS_READ, 1, 1,
	 cmd_explain, NULL},
	{"verify", "", "compare the kernel with what was intended", NEEDS_READ, 0, 0, cmd_verify,
	 NULL},
	{"history", "", "list the revisions", NEEDS_NOTHING, 0, 0, cmd_history, NULL},
	{"diff", "A B", "compare two revisions or tags", NEEDS_NOTHING, 2, 2, cmd_diff, NULL},
	{"tag", "REV NAME", "name a revision", NEEDS_WRITE, 2, 2, cmd_tag, NULL},
	{"stats", "", "show the counters of verdicts and backends", NEEDS_READ, 0, 0, cmd_stats,
	 NULL},
	{"help", "[COMMAND]", "explain steerctl or one command", NEEDS_NOTHING, 0, 1, cmd_help,
	 NULL},
	{0},
};

enum option_key { KEY_LONG = 256 }; /* + row of the table, for options without a letter */

static const struct option_row {
	const char *name;
	char letter;
	const char *argument;
	const char *command; /* NULL = every command */
	const char *summary;
} option_rows[] = {
	{"config", 'c', "FILE", NULL, "configuration file (STEER_CONFIG, /etc/steer/steer.yaml)"},
	{"instance", 0, "NAME", NULL, "which steerer of this machine (default)"},
	{"service", 's', "SERVICE", NULL, "only this service"},
	{"all", 0, NULL, NULL, "every service that has the pool, in one swap"},
	{"json", 0, NULL, NULL, "answer with one JSON object"},
	{"dry-run", 0, NULL, NULL, "say what would move and change nothing; exits with 3"},
	{"reason", 0, "TEXT", NULL, "why, for the journal"},
	{"if-rev", 0, "N", NULL, "only if revision N is in force; exits with 5 if not"},
	{"yes", 0, NULL, NULL, "do not ask"},
	{"override", 0, "RAIL", NULL, "go on although RAIL (health) refuses"},
	{"timeout", 0, "DUR", NULL, "how long to wait for another writer: 500ms, 5s, 2m (5s)"},
	{"quiet", 'q', NULL, NULL, "say nothing when it worked"},
	{"no-color", 0, NULL, NULL, "no colours (or set NO_COLOR)"},
	{"step", 0, NULL, "rollback", "one commit back"},
	{"to", 0, "REV|TAG", "rollback", "back to this revision"},
	{"names", 0, NULL, "help", "only names of commands and options"},
	{"help", 'h', NULL, NULL, "explain the command"},
	{"version", 0, NULL, NULL, "print the version"},
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int unknown_command(struct run *run, const char *name)
{
	struct suggestion near = {.wanted = name};
	char text[96];

	for (const struct command *c = commands; c->name; c++)
		suggest_offer(&near, c->name);
	return diag_fail(&run->why, STATUS_USAGE, "there is no command '%s'%s; see 'steerctl help'",
			 name, suggest_text(&near, text));
}

/* ---- help ---- */

static void print_options(const char *command)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		const struct option_row *row = &option_rows[i];
		char text[40];

		if (command ? !row->command || strcmp(row->command, command) != 0
			    : row->command != NULL)
			continue;
		(void)snprintf(text, sizeof(text), "--%s%s%s", row->name, row->argument ? " " : "",
			       row->argument ? row->argument : "");
		printf("  %c%c%s %-20s %s\n", row->letter ? '-' : ' ',
		       row->letter ? row->letter : ' ', row->letter ? "," : " ", text,
		       row->summary);
	}
}

static void print_names(void)
{
	for (const struct command *c = commands; c->name; c++)
		puts(c->name);
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		printf("--%s\n", option_rows[i].name);
		if (option_rows[i].letter)
			printf("-%c\n", option_rows[i].letter);
	}
}

static void print_help(void)
{
	puts("usage: steerctl [OPTIONS] [COMMAND] [ARGUMENTS]\n\ncommands (status if none):");
	for (const struct command *c = commands; c->name; c++) {
		char text[48];

		(void)snprintf(text, sizeof(text), "%s %s", c->name, c->arguments);
		printf("  %-34s %s\n", text, c->summary);
	}
	puts("\noptions, before or after the command:");
	print_options(NULL);
	puts("\n'steerctl help COMMAND' tells more. Manual: steerctl(8).");
}

static void print_command(const struct command *command)
{
	static const char *const needs[] = {
		[NEEDS_NOTHING] = "nothing",
		[NEEDS_CONFIG] = "the configuration file",
		[NEEDS_READ] = "a running steerer",
		[NEEDS_WRITE] = "a running steerer and its lock",
	};

	printf("usage: steerctl %s%s%s\n\n%s\n", command->name, command->arguments[0] ? " " : "",
	       command->arguments, command->summary);
	if (command->details)
		printf("\n%s\n", command->details);
	printf("\nneeds: %s\n", needs[command->needs]);
	print_options(command->name);
}

static void help_json(struct run *run)
{
	json_t *list = json_array();

	for (const struct command *c = commands; c->name; c++)
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", c->name,
							    "arguments", c->arguments, "summary",
							    c->summary));
	(void)json_object_set_new(run->json, "commands", list);
}

int cmd_help(struct run *run)
{
	const struct command *about = NULL;

	if (run->n_arguments == 1) {
		about = command_find(run->arguments[0]);
		if (!about)
			return unknown_command(run, run->arguments[0]);
	}
	if (run->options.json)
		help_json(run);
	else if (run->options.names)
		print_names();
	else if (about)
		print_command(about);
	else
		print_help();
	return 0;
}

/* ---- the command line ---- */

#define MARK '\001' /* before an argument that looks like an option and is a number */

static char *unmark(char *text)
{
	return text && text[0] == MARK ? text + 1 : text;
}

/* Shares like -5% must reach their command, which knows what is wrong with them. */
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

static int read_duration(const char *text, int *ret_ms, struct diag *why)
{
	static const struct {
		const char *unit;
		long ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units) && end != text && !errno; i++) {
		if (strcmp(end, units[i].unit) != 0 || value < 0 || value > 86400000 / units[i].ms)
			continue;
		*ret_ms = (int)(value * units[i].ms);
		return 0;
	}
	return diag_fail(why, STATUS_USAGE,
			 "--timeout '%s' is not a time up to a day (accepted: 500ms, 5s, 2m, 1h)",
			 text);
}

static int read_revision(struct options *options, const char *text, struct diag *why)
{
	char *end;

	errno = 0;
	options->if_revision = strtoull(text, &end, 10);
	if (errno || !isdigit((unsigned char)text[0]) || *end)
		return diag_fail(why, STATUS_USAGE, "--if-rev '%s' is not a revision number", text);
	options->has_if_revision = true;
	return 0;
}

static int take_override(struct options *options, const char *rail, struct diag *why)
{
	if (strcmp(rail, "health") != 0)
		return diag_fail(why, STATUS_USAGE, "there is no rail '%s' (rails: health)", rail);
	options->override = rail;
	return 0;
}

static int is_name(const char *text)
{
	return isalnum((unsigned char)text[0]) && strlen(text) < NAME_TEXT &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789._-")] == '\0';
}

static int take_instance(struct options *options, const char *name, struct diag *why)
{
	if (!is_name(name))
		return diag_fail(why, STATUS_USAGE,
				 "--instance '%s' is not a name (letters, digits, '.', '_', '-')",
				 name);
	options->place.instance = name;
	return 0;
}

static int take_option(struct run *run, const char *name, const char *value)
{
	struct options *o = &run->options;
	const struct {
		const char *name;
		bool *is_set;
		const char **value;
	} plain[] = {
		{"config", NULL, &o->config},	{"service", NULL, &o->service},
		{"reason", NULL, &o->reason},	{"to", NULL, &o->to},
		{"all", &o->all, NULL},		{"json", &o->json, NULL},
		{"dry-run", &o->dry_run, NULL}, {"yes", &o->yes, NULL},
		{"quiet", &o->quiet, NULL},	{"no-color", &o->no_color, NULL},
		{"step", &o->step, NULL},	{"names", &o->names, NULL},
		{"help", &o->help, NULL},	{"version", &o->version, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (strcmp(plain[i].name, name) != 0)
			continue;
		if (plain[i].is_set)
			*plain[i].is_set = true;
		else
			*plain[i].value = value;
		return 0;
	}
	if (strcmp(name, "instance") == 0)
		return take_instance(o, value, &run->why);
	if (strcmp(name, "if-rev") == 0)
		return read_revision(o, value, &run->why);
	if (strcmp(name, "override") == 0)
		return take_override(o, value, &run->why);
	return read_duration(value, &o->timeout_ms, &run->why);
}

static int refuse_option(struct run *run, int key, const char *text)
{
	struct suggestion near = {.wanted = text};
	char buffer[96];

	assert(text);
	if (key == ':')
		return diag_fail(&run->why, STATUS_USAGE, "option '%s' needs a value", text);
	while (*near.wanted == '-')
		near.wanted++;
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		suggest_offer(&near, option_rows[i].name);
	return diag_fail(&run->why, STATUS_USAGE, "there is no option '%s'%s; see 'steerctl help'",
			 text, suggest_text(&near, buffer));
}

static void build_getopt(struct option *options, char *letters)
{
	*letters++ = ':';
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
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
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
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

static int read_options(struct run *run, int argc, char **argv, uint64_t *ret_seen)
{
	struct option options[ARRAY_SIZE(option_rows) + 1] = {0};
	char letters[2 * ARRAY_SIZE(option_rows) + 2];
	int key, result = 0;

	build_getopt(options, letters);
	opterr = 0;
	while (!result && (key = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const struct option_row *row = row_of(key);
		char letter[3] = {'-', (char)optopt, '\0'};

		if (!row || !is_exact(argv, row, key)) {
			bool is_letter = !row && optopt > 0 && optopt < KEY_LONG;

			result = refuse_option(run, row ? '?' : key,
					       is_letter ? letter : unmark(argv[optind - 1]));
			continue;
		}
		*ret_seen |= 1ULL << (row - option_rows);
		result = take_option(run, row->name, unmark(optarg));
	}
	return result;
}

static int check_usage(struct run *run, uint64_t seen)
{
	const struct command *c = run->command;

	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		const struct option_row *row = &option_rows[i];

		if ((seen >> i & 1) && row->command && strcmp(row->command, c->name) != 0)
			return diag_fail(&run->why, STATUS_USAGE, "--%s is an option of '%s' only",
					 row->name, row->command);
	}
	if (run->options.service && run->options.all)
		return diag_fail(&run->why, STATUS_USAGE, "-s and --all exclude each other");
	if (run->n_arguments >= c->min_arguments &&
	    (c->max_arguments < 0 || run->n_arguments <= c->max_arguments))
		return 0;
	return diag_fail(&run->why, STATUS_USAGE, "%s takes %s: steerctl %s %s", c->name,
			 c->max_arguments ? "other arguments" : "no arguments", c->name,
			 c->arguments);
}

static void remember_typed(struct run *run, int argc, char **argv)
{
	size_t length = 0;

	for (int i = 1; i < argc && length < sizeof(run->typed); i++)
		length += (size_t)snprintf(run->typed + length, sizeof(run->typed) - length, "%s%s",
					   i > 1 ? " " : "", argv[i]);
}

static int run_command(struct run *run, int argc, char **argv)
{
	char **marked = mark_numbers(argc, argv);
	uint64_t seen = 0;
	int result;

	if (!marked)
		return diag_fail(&run->why, -ENOMEM, "memory is short");
	run->arguments = marked; /* kept until the process ends */
	result = read_options(run, argc, marked, &seen);
	if (result)
		return result;
	if (run->options.version)
		return diag_fail(&run->line, 0, "steerctl, ABI %d", STEER_ABI);
	for (int i = optind; i < argc; i++)
		marked[i] = unmark(marked[i]);
	run->arguments = marked + optind;
	run->n_arguments = argc - optind;
	run->command = command_find(run->n_arguments ? run->arguments[0] : "status");
	if (run->options.help) {
		run->command = command_find("help");
		return cmd_help(run);
	}
	if (!run->command)
		return unknown_command(run, run->arguments[0]);
	if (run->n_arguments) {
		run->arguments++;
		run->n_arguments--;
	}
	result = check_usage(run, seen);
	return result ? result : run->command->run(run);
}

static const char *from_environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && value[0] ? value : otherwise;
}

/* --json holds for errors of the command line as well, wherever it stands. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static struct run run;

	run.options.config = from_environment("STEER_CONFIG", "/etc/steer/steer.yaml");
	run.options.place.instance = "default";
	run.options.place.bpffs = from_environment("STEER_BPFFS", "/sys/fs/bpf/steer");
	run.options.place.state = from_environment("STEER_STATE", "/var/lib/steer");
	run.options.timeout_ms = 5000;
	run.options.no_color = getenv("NO_COLOR") != NULL;
	run.options.json = wants_json(argc, argv);
	run.json = json_object();
	run.changes = json_array();
	run.warnings = json_array();
	remember_typed(&run, argc, argv);
	return run_finish(&run, run_command(&run, argc, argv));
}
