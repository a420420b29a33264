/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdict that any frame must get, written a second time from the rules and byte by byte.
 *
 * It knows one configuration: TCP and UDP port 80 of FRONTEND4 and FRONTEND6, and a backend that
 * is reached untagged.
 */
#ifndef STEER_TESTS_MODEL_H
#define STEER_TESTS_MODEL_H

#include "harness/packet.h"

/* Only the bytes and the size of @frame count. Returns a STEER_VERDICT_*. */
uint32_t model_verdict(const struct frame *frame);

#endif
