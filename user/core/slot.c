// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/slot.h"

#include <string.h>

#include "base/siphash.h"
#include "steer/hash.h"

void slot_draw(const uint64_t key[static 2], __u16 ret_hash[static STEER_KEY_BYTES][256])
{
	for (unsigned int position = 0; position < STEER_KEY_BYTES; position++) {
		for (unsigned int value = 0; value < 256; value++) {
			const uint8_t bytes[2] = {(uint8_t)position, (uint8_t)value};

			ret_hash[position][value] = (__u16)siphash13(key, bytes, sizeof(bytes));
		}
	}
}

uint32_t slot_of(const __u16 hash[static STEER_KEY_BYTES][256], const struct service *service,
		 const struct address *client)
{
	__be32 word[4];

	memcpy(word, client->bytes, sizeof(word));
	if (address_is_ipv4(client))
		return steer_slot4(hash, word[3] & steer_mask(service->prefix4, 0));
	for (uint32_t i = 0; i < 4; i++)
		word[i] &= steer_mask(service->prefix6, i);
	return steer_slot6(hash, word, service->prefix6 > 64);
}
