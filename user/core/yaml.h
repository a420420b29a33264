/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A YAML file as a tree of nodes that know where they came from.
 *
 * Only the plain part of YAML: maps with scalar keys, lists, scalars as text. What a text means is
 * decided by the reader of the tree (config.c), never by YAML's type guessing.
 */
#ifndef STEER_CORE_YAML_H
#define STEER_CORE_YAML_H

#include <stddef.h>

struct diag;

#define NODE_DEPTH_MAX	  16
#define NODE_CHILDREN_MAX 8192 /* above every limit of the ABI, bounds the duplicate search */

enum node_kind {
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
};

/* Line and column, both from 1; columns count characters. */
struct mark {
	size_t line;
	size_t column;
};

struct node {
	enum node_kind kind;
	struct mark mark;
	char *key; /* in a map: unique among its siblings; NULL elsewhere */
	struct mark key_mark;
	char *text;	    /* NODE_TEXT: no control characters, may be empty; NULL elsewhere */
	struct node *first; /* child */
	struct node *next;  /* sibling */
	size_t n_children;
};

struct document {
	char *path;
	char *bytes; /* the file, NUL-terminated */
	size_t n_bytes;
	struct node *root;
};

/*
 * document_read - read the one document of @path, at most @bytes_max bytes long.
 *
 * Errors: -errno of opening and reading; -E2BIG the file is too long; -EINVAL not YAML, or YAML
 * with aliases, anchors, tags, several documents, duplicate keys, more than NODE_DEPTH_MAX levels.
 */
int document_read(const char *path, size_t bytes_max, struct document *ret_document,
		  struct diag *why);
void document_free(struct document *document);

/* Write "FILE:LINE:COL: sentence", the source line and a caret; return @error. */
int document_fail(const struct document *document, struct mark mark, int error, struct diag *why,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* "a map", "a list", "'the text'" cut to fit into @buffer; returns @buffer. */
#define NODE_SHOW 80
const char *node_show(const struct node *node, char buffer[static NODE_SHOW]);

#endif
