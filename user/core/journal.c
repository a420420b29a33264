// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The journal in memory and its appends. Policies stay in the file until somebody asks; a line
 * counts only after fdatasync, and then through the same function that replays it later.
 */
#include "core/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/journal_file.h"
#include "core/policy_json.h"

int journal_reserve(struct journal *journal)
{
	size_t room = journal->room ? 2 * journal->room : 64;
	struct journal_entry *entries;
	struct journal_line *lines;

	if (journal->n_entries < journal->room)
		return 0;
	entries = reallocarray(journal->entries, room, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	journal->entries = entries;
	lines = reallocarray(journal->lines, room, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	journal->lines = lines;
	journal->room = room;
	return 0;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->is_writable && journal->is_sure && !journal->is_indexed && journal->size)
		journal_index_write(journal);
	own_close(&journal->fd);
	free(journal->path);
	free(journal->entries);
	free(journal->lines);
	free(journal);
}

const uint64_t *journal_key(const struct journal *journal)
{
	return journal->key;
}

uint64_t journal_head(const struct journal *journal)
{
	return journal->n_entries ? journal->entries[journal->n_entries - 1].revision : 0;
}

uint64_t journal_pending(const struct journal *journal)
{
	return journal->pending.revision;
}

const struct journal_entry *journal_entries(const struct journal *journal, size_t *ret_count)
{
	*ret_count = journal->n_entries;
	return journal->entries;
}

/* The line of @revision, also of one that is only begun: recovery asks for it. */
static const struct journal_line *find_line(const struct journal *journal, uint64_t revision)
{
	const struct journal_entry *entry = journal_entry_of(journal, revision);

	if (entry)
		return &journal->lines[entry - journal->entries];
	if (revision && revision == journal->pending.revision)
		return &journal->pending_line;
	return NULL;
}

int journal_policy(const struct journal *journal, uint64_t revision, struct policy *ret_policy,
		   struct diag *why)
{
	const struct journal_line *where = find_line(journal, revision);
	auto_free char *text = NULL;
	json_t *line;
	char *body;
	uint64_t chain;
	int error;

	if (!where)
		return diag_fail(why, -ENOENT, "the journal has no revision %" PRIu64, revision);
	text = malloc(where->size);
	if (!text)
		return diag_fail(why, -ENOMEM, "memory is short");
	if (pread(journal->fd, text, where->size, where->offset) != (ssize_t)where->size)
		return diag_fail(why, -EIO, "cannot read '%s'", journal->path);
	/* It may have been read long ago, or never by this process. */
	if (journal_check(journal, where->before, text, where->size, &body, &chain))
		return diag_fail(why, -EBADMSG, "'%s' is damaged at revision %" PRIu64,
				 journal->path, revision);
	line = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	error = policy_from_json(json_object_get(line, "policy"), ret_policy, why);
	json_decref(line);
	return error;
}

/* Who logged in, whatever su or sudo made of them since; "" if nobody did. */
static void login_name(char ret_name[static NAME_TEXT])
{
	auto_fclose FILE *file = fopen("/proc/self/loginuid", "re");
	const struct passwd *person;
	unsigned int uid;

	ret_name[0] = '\0';
	if (!file || fscanf(file, "%u", &uid) != 1 || uid == UINT32_MAX)
		return;
	person = getpwuid(uid);
	if (person)
		(void)snprintf(ret_name, NAME_TEXT, "%s", person->pw_name);
}

const char *journal_who(const char *login, uint32_t uid, char buffer[static NAME_TEXT])
{
	const struct passwd *person = login[0] ? NULL : getpwuid(uid);

	if (login[0] || person)
		(void)snprintf(buffer, NAME_TEXT, "%s", person ? person->pw_name : login);
	else
		(void)snprintf(buffer, NAME_TEXT, "uid %" PRIu32, uid);
	return buffer;
}

/* Arguments need not be UTF-8, or may have been cut inside a character. */
static json_t *text_to_json(const char *text)
{
	json_t *json = json_string(text);
	char plain[256];

	if (json)
		return json;
	(void)snprintf(plain, sizeof(plain), "%s", text);
	for (char *byte = plain; *byte; byte++) {
		if ((unsigned char)*byte >= 0x80)
			*byte = '?';
	}
	return json_string(plain);
}

static json_t *new_line(const char *type, const struct journal_entry *entry)
{
	char login[NAME_TEXT];

	login_name(login);
	if (!login[0])
		(void)snprintf(login, sizeof(login), "%s", entry->login);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "type", type, "revision",
			 (json_int_t)entry->revision, "parent", (json_int_t)entry->parent, "time",
			 (json_int_t)time(NULL), "uid", (json_int_t)getuid(), "window",
			 (json_int_t)entry->window_s, "login", text_to_json(login), "command",
			 text_to_json(entry->command), "reason", text_to_json(entry->reason));
}

/* One write, then fdatasync. What was written in part is taken back. */
static int write_line(struct journal *journal, const char *text, size_t size, struct diag *why)
{
	ssize_t written = write(journal->fd, text, size);
	struct stat facts;
	int error = 0;

	if (written < 0)
		error = -errno;
	else if ((size_t)written != size)
		error = -ENOSPC;
	else if (fdatasync(journal->fd) < 0 || fstat(journal->fd, &facts) < 0)
		error = -errno;
	if (!error) {
		journal_look(&facts, &journal->seen);
		return 0;
	}
	if (ftruncate(journal->fd, journal->size) < 0)
		journal->is_writable = false; /* the next open cuts the torn line */
	errno = -error;
	return diag_fail(why, error, "cannot write '%s': %m", journal->path);
}

/* A rollback without the lock may have written meanwhile: our line would not chain to its line. */
static int check_end(struct journal *journal, struct diag *why)
{
	struct stat facts;

	if (!journal->is_writable)
		return diag_fail(why, -EROFS, "'%s' is open for reading only", journal->path);
	if (fstat(journal->fd, &facts) < 0)
		return diag_fail(why, -errno, "cannot read '%s': %m", journal->path);
	if (facts.st_size != journal->size)
		return diag_fail(why, -ESTALE,
				 "another command went on without the lock meanwhile and wrote "
				 "'%s' ('steerctl history' shows what)",
				 journal->path);
	if (!journal_is_as_seen(journal, &facts))
		journal->is_sure = false; /* the next open reads it all */
	return 0;
}

/* Chain @line, write it and take it into account. */
static int append_line(struct journal *journal, json_t *line, struct diag *why)
{
	auto_free char *text = NULL;
	uint64_t chain;
	size_t size;
	int error = check_end(journal, why);

	if (error)
		return error;
	if (!line || journal_reserve(journal))
		return diag_fail(why, -ENOMEM, "memory is short");
	text = journal_text(journal, line, &size, &chain);
	if (!text)
		return diag_fail(why, -ENOMEM, "memory is short");
	error = write_line(journal, text, size, why);
	if (error)
		return error;
	error = journal_apply(journal, line, size);
	journal->chain = chain;
	journal->size += (int64_t)size;
	journal->n_lines++;
	journal->is_indexed = false;
	if (error)
		return diag_fail(why, error, "'%s' took a line out of order", journal->path);
	return 0;
}

static int append_new(struct journal *journal, const char *type, const struct journal_entry *entry,
		      const char *field, json_t *value, struct diag *why)
{
	json_t *line = new_line(type, entry);
	int error;

	if (field && (!value || !line || json_object_set(line, field, value) < 0)) {
		json_decref(line);
		line = NULL;
	}
	error = append_line(journal, line, why);
	json_decref(line);
	json_decref(value);
	return error;
}

int journal_intent(struct journal *journal, const struct journal_entry *entry,
		   const struct policy *policy, struct diag *why)
{
	if (journal->pending.revision)
		return diag_fail(why, -EBUSY, "revision %" PRIu64 " is begun and not finished",
				 journal->pending.revision);
	if (entry->revision <= journal_head(journal))
		return diag_fail(why, -ESTALE, "the journal is at revision %" PRIu64 " already",
				 journal_head(journal));
	return append_new(journal, "intent", entry, "policy", policy_to_json(policy), why);
}

static int append_end(struct journal *journal, const char *type, uint64_t revision,
		      struct diag *why)
{
	const struct journal_entry entry = {.revision = revision,
					    .parent = journal->pending.parent};

	if (!revision || revision != journal->pending.revision)
		return diag_fail(why, -ENOENT, "revision %" PRIu64 " is not begun", revision);
	return append_new(journal, type, &entry, NULL, NULL, why);
}

int journal_done(struct journal *journal, uint64_t revision, struct diag *why)
{
	return append_end(journal, "done", revision, why);
}

int journal_abort(struct journal *journal, uint64_t revision, struct diag *why)
{
	return append_end(journal, "abort", revision, why);
}

int journal_adopt(struct journal *journal, const struct journal_entry *entry,
		  const struct policy *policy, struct diag *why)
{
	if (entry->revision <= journal_head(journal))
		return diag_fail(why, -ESTALE, "the journal is at revision %" PRIu64 " already",
				 journal_head(journal));
	return append_new(journal, "adopt", entry, "policy", policy_to_json(policy), why);
}

static bool is_tag(const char *name)
{
	static const char digits[] = "0123456789";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t size = strlen(name);

	if (!size || size >= NAME_TEXT || !name[strspn(name, digits)])
		return false;
	for (const char *byte = name; *byte; byte++) {
		if (!strchr(digits, *byte) && !strchr(letters, *byte) &&
		    (byte == name || !strchr("._-", *byte)))
			return false;
	}
	return true;
}

int journal_tag(struct journal *journal, uint64_t revision, const char *name, struct diag *why)
{
	const struct journal_entry *tagged = journal_entry_of(journal, revision);
	struct journal_entry entry = {.revision = revision};

	if (!tagged)
		return diag_fail(why, -ENOENT, "the journal has no revision %" PRIu64, revision);
	if (!is_tag(name))
		return diag_fail(why, -EINVAL,
				 "'%s' is not a tag: letters, digits, '.', '_' and '-', "
				 "not a number, up to %d bytes",
				 name, NAME_TEXT - 1);
	entry.parent = tagged->parent;
	return append_new(journal, "tag", &entry, "tag", json_string(name), why);
}

uint64_t journal_find(const struct journal *journal, const char *revision_or_tag)
{
	uint64_t revision;

	if (!*revision_or_tag)
		return 0;
	if (!revision_or_tag[strspn(revision_or_tag, "0123456789")]) {
		errno = 0;
		revision = strtoull(revision_or_tag, NULL, 10);
		return errno == 0 && journal_entry_of(journal, revision) ? revision : 0;
	}
	for (size_t i = journal->n_entries; i > 0; i--) {
		if (strcmp(journal->entries[i - 1].tag, revision_or_tag) == 0)
			return journal->entries[i - 1].revision;
	}
	return 0;
}

const struct journal_lock *journal_lock(const struct journal *journal, int64_t now)
{
	const struct journal_lock *lock = &journal->lock;

	return lock->is_set && (!lock->until || now < lock->until) ? lock : NULL;
}

int journal_set_lock(struct journal *journal, const struct journal_entry *entry, int64_t until,
		     struct diag *why)
{
	return append_new(journal, "lock", entry, "until", json_integer(until), why);
}

int journal_unlock(struct journal *journal, const struct journal_entry *entry, struct diag *why)
{
	return append_new(journal, "unlock", entry, NULL, NULL, why);
}
