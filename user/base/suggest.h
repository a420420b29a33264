/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* "Did you mean": of the names offered, the one with the fewest edits, when they are few. */
#ifndef STEER_BASE_SUGGEST_H
#define STEER_BASE_SUGGEST_H

struct suggestion {
	const char *wanted;
	const char *nearest; /* NULL: none is near */
	unsigned int distance;
};
void suggest_offer(struct suggestion *suggestion, const char *name);

/* " (did you mean 'x'?)" or "" */
#define SUGGEST_TEXT 96
const char *suggest_text(const struct suggestion *suggestion, char buffer[static SUGGEST_TEXT]);

#endif
