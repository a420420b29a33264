// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One line of the journal as bytes: its chain, checked and made without parsing or copying.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/own.h"
#include "base/siphash.h"
#include "core/journal_file.h"

/*
 * @text has JOURNAL_BODY bytes to spare before the line's own first field: the chain before it and
 * the brace go there, so that what is hashed stands in one piece.
 */
static uint64_t chain_of(const struct journal *journal, uint64_t before, char *text, size_t size)
{
	char digits[JOURNAL_DIGITS + 1];
	char *start = text + JOURNAL_BODY - 1 - JOURNAL_DIGITS;

	(void)snprintf(digits, sizeof(digits), "%016" PRIx64, before);
	memcpy(start, digits, JOURNAL_DIGITS);
	text[JOURNAL_BODY - 1] = '{';
	return siphash13(journal->key, start, (size_t)(text + size - start));
}

int journal_check(const struct journal *journal, uint64_t before, char *text, size_t size,
		  char **ret_line, uint64_t *ret_chain)
{
	static const char hex[] = "0123456789abcdef";
	char claimed[JOURNAL_DIGITS + 1] = "";
	uint64_t chain;

	if (size <= JOURNAL_BODY || text[size - 1] != '\n' ||
	    memcmp(text, JOURNAL_PREFIX, sizeof(JOURNAL_PREFIX) - 1) != 0 ||
	    memcmp(text + JOURNAL_BODY - 2, "\",", 2) != 0)
		return -EBADMSG;
	memcpy(claimed, text + sizeof(JOURNAL_PREFIX) - 1, JOURNAL_DIGITS);
	if (strspn(claimed, hex) != JOURNAL_DIGITS)
		return -EBADMSG;
	chain = chain_of(journal, before, text, size - 1);
	if (chain != strtoull(claimed, NULL, 16))
		return -EBADMSG;
	text[size - 1] = '\0';
	*ret_line = text + JOURNAL_BODY - 1;
	*ret_chain = chain;
	return 0;
}

char *journal_text(const struct journal *journal, const json_t *line, size_t *ret_size,
		   uint64_t *ret_chain)
{
	auto_free char *canonical = json_dumps(line, JSON_SORT_KEYS | JSON_COMPACT);
	size_t size = canonical ? JOURNAL_BODY + strlen(canonical + 1) : 0; /* no brace */
	char head[JOURNAL_BODY + 1];
	char *text = size ? malloc(size + 2) : NULL;

	if (!text)
		return NULL;
	memcpy(text + JOURNAL_BODY, canonical + 1, size - JOURNAL_BODY);
	*ret_chain = chain_of(journal, journal->chain, text, size);
	(void)snprintf(head, sizeof(head), JOURNAL_PREFIX "%016" PRIx64 "\",", *ret_chain);
	memcpy(text, head, JOURNAL_BODY);
	memcpy(text + size, "\n", 2);
	*ret_size = size + 1;
	return text;
}
