// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

#define LENGTH_MAX 63

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Levenshtein distance with one row. */
static unsigned int edits(const char *a, const char *b)
{
	unsigned int row[LENGTH_MAX + 1];
	size_t n = strlen(b);

	if (n > LENGTH_MAX || strlen(a) > LENGTH_MAX)
		return LENGTH_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned int above = row[j + 1];

			row[j + 1] = least(least(above, row[j]) + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[n];
}

void suggest_offer(struct suggestion *suggestion, const char *name)
{
	unsigned int distance = edits(suggestion->wanted, name);

	/* A third of the letters wrong is still a slip, more is another word. */
	if (distance > (strlen(suggestion->wanted) + 2) / 3)
		return;
	if (suggestion->nearest && suggestion->distance <= distance)
		return;
	suggestion->nearest = name;
	suggestion->distance = distance;
}

const char *suggest_text(const struct suggestion *suggestion, char buffer[static SUGGEST_TEXT])
{
	buffer[0] = '\0';
	if (suggestion->nearest)
		(void)snprintf(buffer, SUGGEST_TEXT, " (did you mean '%s'?)", suggestion->nearest);
	return buffer;
}
