// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * help: what the tables of commands and options say, for people and for completion.
 *
 * "help --names" prints commands and options; "help --names pools" (services, pools, backends,
 * revisions) what there is to name: of the running steerer, else of the configuration file.
 */
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "ctl/commands.h"

#define USAGE_WIDTH 24 /* a longer usage has a line of its own */

static void print_options(const char *command)
{
	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		char text[40];

		if (command ? !row->command || !option_is_of(row, command) : row->command != NULL)
			continue;
		(void)snprintf(text, sizeof(text), "--%s%s%s", row->name, row->argument ? " " : "",
			       row->argument ? row->argument : "");
		printf("  %c%c%s %-18s %s\n", row->letter ? '-' : ' ',
		       row->letter ? row->letter : ' ', row->letter ? "," : " ", text,
		       row->summary);
	}
}

static void print_help(void)
{
	puts("usage: steerctl [OPTIONS] [COMMAND] [ARGUMENTS]\n\ncommands (status if none):");
	for (const struct command *c = commands; c->name; c++) {
		char text[48];

		(void)snprintf(text, sizeof(text), "%s %s", c->name, c->arguments);
		if (strlen(text) > USAGE_WIDTH)
			printf("  %s\n  %*s %s\n", text, USAGE_WIDTH, "", c->summary);
		else
			printf("  %-*s %s\n", USAGE_WIDTH, text, c->summary);
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

/* Of @about alone, or of every command when it is NULL. */
static void help_json(struct run *run, const struct command *about)
{
	json_t *list = json_array();

	for (const struct command *c = commands; c->name; c++)
		if (!about || c == about)
			json_add(list, json_pack("{s:s, s:s, s:s}", "name", c->name, "arguments",
						 c->arguments, "summary", c->summary));
	(void)json_object_set_new(run->json, "commands", list);
}

/* ---- names ---- */

static void print_names(void)
{
	for (const struct command *c = commands; c->name; c++)
		puts(c->name);
	for (size_t i = 0; i < n_option_rows; i++) {
		printf("--%s\n", option_rows[i].name);
		if (option_rows[i].letter)
			printf("-%c\n", option_rows[i].letter);
	}
}

static void print_of_service(const struct service *service, const char *kind)
{
	if (strcmp(kind, "services") == 0)
		puts(service->name);
	for (size_t p = 0; p < service->n_pools; p++) {
		const struct pool *pool = &service->pools[p];

		if (strcmp(kind, "pools") == 0 || strcmp(kind, "named") == 0)
			puts(pool->name);
		if (strcmp(kind, "backends") != 0 && strcmp(kind, "named") != 0)
			continue;
		for (size_t b = 0; b < pool->n_backends; b++)
			puts(pool->backends[b].name);
	}
}

static void print_inventory(struct run *run, const char *kind)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy config = {0};
	const struct policy *policy = &config;
	struct diag ignored = {0};

	if (!steerer_open(&run->options.place, STEERER_READ, 0, &steerer, &ignored, NULL))
		policy = steerer_policy(steerer);
	else
		steerer = NULL;
	if (!steerer && config_read(run->options.config, &config, NULL))
		return;
	for (size_t i = 0; i < policy->n_services; i++)
		if (run_means(run, &policy->services[i]))
			print_of_service(&policy->services[i], kind);
}

static void print_revisions(struct run *run)
{
	auto_journal struct journal *journal = NULL;
	const struct journal_entry *entries;
	size_t count;

	if (run_journal(run, &journal))
		return; /* not readable for everybody: nothing to offer */
	entries = journal_entries(journal, &count);
	for (size_t i = 0; i < count; i++) {
		printf("%llu\n", (unsigned long long)entries[i].revision);
		if (entries[i].tag[0])
			puts(entries[i].tag);
	}
}

static int names(struct run *run)
{
	const char *kind = run->n_arguments ? run->arguments[0] : "";

	if (!kind[0])
		print_names();
	else if (strcmp(kind, "revisions") == 0)
		print_revisions(run);
	else if (strcmp(kind, "services") == 0 || strcmp(kind, "pools") == 0 ||
		 strcmp(kind, "backends") == 0 || strcmp(kind, "named") == 0)
		print_inventory(run, kind);
	else
		return diag_fail(&run->why, STATUS_USAGE,
				 "there are no names of '%s' (services, pools, backends, "
				 "revisions)",
				 kind);
	return 0;
}

int cmd_help(struct run *run)
{
	const struct command *about = NULL;

	if (run->options.names)
		return names(run);
	if (run->n_arguments >= 1) {
		about = command_find(run->arguments[0]);
		if (!about)
			return arguments_unknown_command(run, run->arguments[0]);
	}
	if (run->options.json)
		help_json(run, about);
	else if (about)
		print_command(about);
	else
		print_help();
	return 0;
}
