/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sentence that tells an operator why something was not done.
 *
 * Functions that can fail return 0 or -errno and put the sentence into a struct diag, last
 * parameter, named @why. They never print; ctl/ and daemon/ decide where the words go.
 */
#ifndef STEER_BASE_DIAG_H
#define STEER_BASE_DIAG_H

#define DIAG_TEXT 2048

struct diag {
	char text[DIAG_TEXT]; /* no newline at the end; may hold several lines */
};

/* Write the sentence (cut at DIAG_TEXT - 1 bytes, %m is errno) and return @error. @why may be NULL.
 */
int diag_fail(struct diag *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Append a line, for findings and warnings that add up. @diag may be NULL. */
void diag_line(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
