/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy <-> JSON, canonical (sorted keys, compact): the form that the journal keeps and that
 * each generation pins. 64-bit seeds are hexadecimal strings, since JSON numbers are not exact.
 */
#ifndef STEER_CORE_POLICY_JSON_H
#define STEER_CORE_POLICY_JSON_H

#include <jansson.h>

#include "core/policy.h"

/* What states, modes, protocols (TCP, UDP) and ways with UDP are called, here and by operators. */
extern const char *const policy_state_names[BACKEND_STATE_COUNT];
extern const char *const policy_mode_names[INTERFACE_GENERIC + 1];
extern const char *const policy_protocol_names[2];
extern const char *const policy_udp_names[2]; /* index: service.udp_flow */

/* New reference, or NULL when memory is short. */
json_t *policy_to_json(const struct policy *policy);

/* Errors: -EINVAL not a policy (says where). */
int policy_from_json(const json_t *json, struct policy *ret_policy, struct diag *why);

/* Do two services have the same JSON? 1, 0, or -ENOMEM. */
int service_equal(const struct service *a, const struct service *b);

#endif
