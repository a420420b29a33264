/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a file through libyaml's events into a tree of nodes; see yaml.h for what is refused.
 */
#include "core/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/diag.h"
#include "base/own.h"

#define SOURCE_WIDTH 120 /* characters of a source line that are quoted */

struct builder {
	struct document *document;
	struct diag *why;
	yaml_parser_t parser;
};

static struct mark mark_of(yaml_mark_t from)
{
	return (struct mark){.line = from.line + 1, .column = from.column + 1};
}

/* Bytes of the character at @text; a stray byte counts as one. */
static size_t character_size(const char *text, const char *end)
{
	size_t size = 1;

	while (text + size < end && ((unsigned char)text[size] & 0xc0) == 0x80)
		size++;
	return size;
}

/* The source line of @mark and below it a caret; long lines are quoted around the caret. */
static void quote_source(const struct document *document, struct mark mark, FILE *out)
{
	const char *text = document->bytes;
	const char *file_end = text + document->n_bytes;
	const char *end;
	size_t skip = mark.column > SOURCE_WIDTH ? mark.column - SOURCE_WIDTH / 2 : 0;
	size_t column = 1;

	for (size_t line = 1; line < mark.line; line++) {
		text = memchr(text, '\n', (size_t)(file_end - text));
		if (!text)
			return;
		text++;
	}
	end = memchr(text, '\n', (size_t)(file_end - text));
	if (!end)
		end = file_end;
	if (end > text && end[-1] == '\r')
		end--;

	(void)fputc('\n', out);
	for (; text < end && column <= skip + SOURCE_WIDTH; column++) {
		size_t size = character_size(text, end);
		bool is_control = (unsigned char)*text < 0x20 || *text == 0x7f;

		if (column > skip) {
			if (is_control)
				(void)fputc(*text == '\t' ? ' ' : '?', out);
			else
				(void)fwrite(text, 1, size, out);
		}
		text += size;
	}
	(void)fprintf(out, "\n%*s", (int)(mark.column - skip), "^");
}

int document_fail(const struct document *document, struct mark mark, int error, struct diag *why,
		  const char *format, ...)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	va_list arguments;

	if (!out)
		return diag_fail(why, -ENOMEM, "out of memory");
	(void)fprintf(out, "%s:%zu:%zu: ", document->path, mark.line, mark.column);
	va_start(arguments, format);
	(void)vfprintf(out, format, arguments);
	va_end(arguments);
	quote_source(document, mark, out);
	if (fclose(out) == 0)
		diag_fail(why, error, "%s", text);
	free(text);
	return error;
}

const char *node_show(const struct node *node, char buffer[static NODE_SHOW])
{
	if (node->kind == NODE_MAP)
		(void)snprintf(buffer, NODE_SHOW, "a map");
	else if (node->kind == NODE_LIST)
		(void)snprintf(buffer, NODE_SHOW, "a list");
	else if (!*node->text)
		(void)snprintf(buffer, NODE_SHOW, "nothing");
	else
		(void)snprintf(buffer, NODE_SHOW, "'%.64s'", node->text);
	return buffer;
}

static void node_free(struct node *node)
{
	while (node) {
		struct node *next = node->next;

		node_free(node->first);
		free(node->key);
		free(node->text);
		free(node);
		node = next;
	}
}

void document_free(struct document *document)
{
	node_free(document->root);
	free(document->bytes);
	free(document->path);
	*document = (struct document){0};
}

static int out_of_memory(struct diag *why)
{
	return diag_fail(why, -ENOMEM, "out of memory");
}

static int next_event(struct builder *builder, yaml_event_t *ret_event)
{
	const yaml_parser_t *parser = &builder->parser;

	if (yaml_parser_parse(&builder->parser, ret_event))
		return 0;
	if (parser->error == YAML_MEMORY_ERROR)
		return out_of_memory(builder->why);
	if (parser->error == YAML_READER_ERROR)
		return diag_fail(builder->why, -EINVAL,
				 "%s: byte %zu: %s; a text in UTF-8 is accepted",
				 builder->document->path, parser->problem_offset, parser->problem);
	return document_fail(builder->document, mark_of(parser->problem_mark), -EINVAL,
			     builder->why, "not YAML: %s%s%s", parser->problem,
			     parser->context ? ", " : "", parser->context ? parser->context : "");
}

static int refuse_extras(struct builder *builder, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	case YAML_ALIAS_EVENT:
		return document_fail(builder->document, mark_of(event->start_mark), -EINVAL,
				     builder->why, "alias '*%.64s' is not accepted; write it out",
				     (const char *)event->data.alias.anchor);
	default:
		break;
	}
	if (anchor)
		return document_fail(builder->document, mark_of(event->start_mark), -EINVAL,
				     builder->why, "anchor '&%.64s' is not accepted; leave it out",
				     (const char *)anchor);
	if (tag)
		return document_fail(builder->document, mark_of(event->start_mark), -EINVAL,
				     builder->why, "tag '%.64s' is not accepted; leave it out",
				     (const char *)tag);
	return 0;
}

/* The text of a scalar, owned by the caller. */
static int take_text(struct builder *builder, const yaml_event_t *event, char **ret_text)
{
	const unsigned char *text = event->data.scalar.value;

	for (size_t i = 0; i < event->data.scalar.length; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return document_fail(builder->document, mark_of(event->start_mark), -EINVAL,
					     builder->why,
					     "the text holds a line break or control character "
					     "(0x%02x); printable text on one line is accepted",
					     text[i]);
	*ret_text = strdup((const char *)text);
	return *ret_text ? 0 : out_of_memory(builder->why);
}

static int read_key(struct builder *builder, const yaml_event_t *event, const struct node *map,
		    struct node *child)
{
	int r;

	child->key_mark = mark_of(event->start_mark);
	if (event->type != YAML_SCALAR_EVENT)
		return document_fail(builder->document, child->key_mark, -EINVAL, builder->why,
				     "a list or map is not accepted as a key; a name is");
	r = take_text(builder, event, &child->key);
	if (r < 0)
		return r;
	for (const struct node *other = map->first; other != child; other = other->next)
		if (strcmp(other->key, child->key) == 0)
			return document_fail(builder->document, child->key_mark, -EINVAL,
					     builder->why,
					     "key '%.64s' is there twice, first in line %zu; a key "
					     "is accepted once",
					     child->key, other->key_mark.line);
	return 0;
}

static int read_node(struct builder *builder, const yaml_event_t *event, unsigned int depth,
		     struct node *node);

static int read_children(struct builder *builder, unsigned int depth, struct node *parent)
{
	struct node **link = &parent->first;
	int r = 0;

	while (r == 0) {
		yaml_event_t event;
		bool is_end;

		r = next_event(builder, &event);
		if (r < 0)
			return r;
		is_end = event.type == YAML_SEQUENCE_END_EVENT ||
			 event.type == YAML_MAPPING_END_EVENT;
		if (is_end) {
			yaml_event_delete(&event);
			return 0;
		}
		*link = calloc(1, sizeof(**link));
		if (!*link)
			r = out_of_memory(builder->why);
		else if (++parent->n_children > NODE_CHILDREN_MAX)
			r = document_fail(builder->document, mark_of(event.start_mark), -E2BIG,
					  builder->why,
					  "more than %d entries in one list or map; fewer are "
					  "accepted",
					  NODE_CHILDREN_MAX);
		else
			r = refuse_extras(builder, &event);
		if (r == 0 && parent->kind == NODE_MAP) {
			r = read_key(builder, &event, parent, *link);
			yaml_event_delete(&event);
			if (r == 0)
				r = next_event(builder, &event);
			if (r < 0)
				return r;
		}
		if (r == 0)
			r = read_node(builder, &event, depth, *link);
		yaml_event_delete(&event);
		if (*link)
			link = &(*link)->next;
	}
	return r;
}

static int read_node(struct builder *builder, const yaml_event_t *event, unsigned int depth,
		     struct node *node)
{
	int r = refuse_extras(builder, event);

	if (r < 0)
		return r;
	node->mark = mark_of(event->start_mark);
	if (event->type == YAML_SCALAR_EVENT) {
		node->kind = NODE_TEXT;
		return take_text(builder, event, &node->text);
	}
	node->kind = event->type == YAML_MAPPING_START_EVENT ? NODE_MAP : NODE_LIST;
	if (depth >= NODE_DEPTH_MAX)
		return document_fail(builder->document, node->mark, -EINVAL, builder->why,
				     "more than %d lists and maps inside each other; fewer are "
				     "accepted",
				     NODE_DEPTH_MAX);
	return read_children(builder, depth + 1, node);
}

/* The events around the one root node. */
static int read_stream(struct builder *builder)
{
	struct document *document = builder->document;
	yaml_event_type_t type;
	size_t documents = 0;
	int r;

	do {
		yaml_event_t event;

		r = next_event(builder, &event);
		if (r < 0)
			return r;
		type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
			r = document_fail(document, mark_of(event.start_mark), -EINVAL,
					  builder->why,
					  "a second document begins here; one is accepted");
		} else if (type == YAML_ALIAS_EVENT || type == YAML_SCALAR_EVENT ||
			   type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) {
			document->root = calloc(1, sizeof(*document->root));
			r = document->root ? read_node(builder, &event, 0, document->root)
					   : out_of_memory(builder->why);
		}
		yaml_event_delete(&event);
	} while (r == 0 && type != YAML_STREAM_END_EVENT);
	if (r == 0 && !document->root)
		return document_fail(document, (struct mark){1, 1}, -EINVAL, builder->why,
				     "the file is empty; a map of keys is accepted");
	return r;
}

/* A byte that no configuration holds: found before libyaml guesses at encodings. */
static int refuse_binary(const struct document *document, struct diag *why)
{
	struct mark mark = {1, 1};

	for (size_t i = 0; i < document->n_bytes; i++) {
		unsigned char byte = (unsigned char)document->bytes[i];
		bool is_break = byte == '\n' || (byte == '\r' && document->bytes[i + 1] == '\n');

		if ((byte < 0x20 && byte != '\t' && !is_break) || byte == 0x7f)
			return document_fail(document, mark, -EINVAL, why,
					     "byte 0x%02x is not text; a text in UTF-8 is accepted",
					     byte);
		if (byte == '\n')
			mark = (struct mark){mark.line + 1, 1};
		else if ((byte & 0xc0) != 0x80)
			mark.column++;
	}
	return 0;
}

/* Some editors write a byte order mark before the text; it says nothing about it. */
static void drop_mark(struct document *document)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t size = strlen(mark);

	if (document->n_bytes < size || memcmp(document->bytes, mark, size) != 0)
		return;
	document->n_bytes -= size;
	memmove(document->bytes, document->bytes + size, document->n_bytes + 1);
}

static int read_bytes(const char *path, size_t bytes_max, struct document *document,
		      struct diag *why)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t room = bytes_max + 1;
	ssize_t count;

	if (fd < 0)
		return diag_fail(why, -errno, "cannot open configuration '%s': %m", path);
	document->path = strdup(path);
	document->bytes = malloc(room + 1);
	if (!document->path || !document->bytes)
		return out_of_memory(why);
	do {
		count = read(fd, document->bytes + document->n_bytes, room - document->n_bytes);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return diag_fail(why, -errno, "cannot read configuration '%s': %m", path);
		document->n_bytes += (size_t)count;
	} while (count != 0 && document->n_bytes < room);
	document->bytes[document->n_bytes] = '\0';
	if (document->n_bytes > bytes_max)
		return diag_fail(why, -E2BIG,
				 "%s: the file is longer than %zu bytes; up to that is accepted",
				 path, bytes_max);
	drop_mark(document);
	return refuse_binary(document, why);
}

int document_read(const char *path, size_t bytes_max, struct document *ret_document,
		  struct diag *why)
{
	struct document document = {0};
	struct builder builder = {.document = &document, .why = why};
	int r = read_bytes(path, bytes_max, &document, why);

	if (r == 0 && !yaml_parser_initialize(&builder.parser))
		r = out_of_memory(why);
	else if (r == 0) {
		yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&builder.parser, (const unsigned char *)document.bytes,
					     document.n_bytes);
		r = read_stream(&builder);
		yaml_parser_delete(&builder.parser);
	}
	if (r < 0) {
		document_free(&document);
		return r;
	}
	*ret_document = document;
	return 0;
}
