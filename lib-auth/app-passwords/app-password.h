// App passwords: further passwords of a user that Culver makes itself (docs/app-passwords.md). What one looks like, how
// it is kept, and what it is good for. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

// One row of the file: everything but the password itself.
struct AppPassword {
    std::int64_t id = 0;
    std::string user, name;
    std::string secret;                   // "sha256$<salt in hex>$<hash in hex>"
    std::string services;                 // blank-separated; empty = all
    std::string networks;                 // separated by commas, as allow_nets; empty = all
    std::int64_t created = 0;             // seconds since 1970
    std::optional<std::int64_t> expires;  // nothing = never
};

// A new one: four groups of five letters, "abcde-fghjk-mnpqr-stuvw"; 91 random bits.
SecretString make_app_password();
// The letters alone, if `given` has the shape of an app password; nothing for any other text. Groups may be written
// with '-' or ' ' between them or with nothing, in capitals or small. Costs next to nothing.
std::optional<SecretString> app_password_letters(std::string_view given);
// What is kept of one, under a fresh salt.
std::string hash_app_password(const SecretString& letters);
// False also for a secret that does not parse. Takes the same time wherever the two differ.
bool matches_app_password(std::string_view secret, const SecretString& letters);

// The row that these letters belong to; null if none.
const AppPassword* find_app_password(std::span<const AppPassword> rows, const SecretString& letters);

// "imap, submission" as it is kept: "imap smtp". Clients of Postfix come as smtp, so that submission means the same.
// `unknown` gets the words that no service is called by. InvalidArgument: not a word.
Result<std::string> parse_app_services(std::string_view text, std::vector<std::string>* unknown = nullptr);
// `services` as kept; empty serves everything.
bool serves(std::string_view services, std::string_view service);
// Networks separated by blanks or commas, as they are kept. InvalidArgument names the bad one.
Result<std::string> parse_app_networks(std::string_view text);
// "90d", "12 weeks", "2026-12-31", "2026-12-31 18:00" (local time), "never". InvalidArgument also for the past.
Result<std::optional<std::int64_t>> parse_app_expiry(std::string_view text, std::int64_t now);
// 1..64 bytes of UTF-8 without control characters, and not digits alone, which would read as an id.
Status check_app_password_name(std::string_view name);

// Why this client may not use it now, for the log; empty = it may.
std::string refusal_of(const AppPassword& row, std::string_view service, std::string_view remote_ip, std::int64_t now);

// auth_app_password_required, or the passdb field of that name: "no", "yes", nothing (= yes), or a list of services.
bool is_app_password_required(std::string_view setting, std::string_view service);

}  // namespace culver
