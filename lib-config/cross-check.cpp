// What each line of a configuration may say for itself but the whole cannot mean. Errors, as in Dovecot.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib-base/text.h"
#include "lib-config/checks.h"
#include "lib-config/tree.h"

namespace culver::config {

namespace {

struct WordList {
    std::string_view setting, what;
    std::string_view words;
};
constexpr std::array<WordList, 5> kWordLists = {{
    {"imap_client_workarounds", "workaround", "delay-newmail tb-extra-mailbox-sep tb-lsub-flags"},
    {"lmtp_client_workarounds", "workaround", "whitespace-before-path mailbox-for-path"},
    {"pop3_client_workarounds", "workaround", "outlook-no-nuls oe-ns-eoh"},
    {"submission_client_workarounds", "workaround",
     "whitespace-before-path mailbox-for-path implicit-auth-external exotic-backend"},
    {"mail_attachment_detection_options", "option",
     "add-flags add-flags-on-save no-flags-on-fetch content-type exclude-inlined"},
}};
constexpr std::string_view kFacilities =
    "mail daemon user auth authpriv cron kern lpr news syslog uucp ftp local0 local1 local2 local3 local4 local5 "
    "local6 local7";
constexpr std::string_view kProtocols = "imap pop3 lmtp submission sieve none";
constexpr std::string_view kSpecialUses = "\\All \\Archive \\Drafts \\Flagged \\Important \\Junk \\Sent \\Trash";

bool has_word(std::string_view list, std::string_view word) {
    auto words = split_words(list);
    return std::ranges::find(words, word) != words.end();
}

class CrossCheck {
public:
    CrossCheck(const Config& config, std::vector<Diagnostic>& out) : config_(config), out_(out) {}

    void check(const Block& root) {
        for (const auto& list : kWordLists)
            for_words(root, list.setting, [&](std::string_view word, const Value& value) {
                if (!has_word(list.words, word))
                    error(value.place, fmt::format("{}: Unknown {}: {}", list.setting, list.what, word),
                          fmt::format("use one of: {}", list.words));
            });
        for_words(root, "protocols", [&](std::string_view word, const Value& value) {
            if (!is_protocol(word))
                error(value.place, fmt::format("protocols: Unknown protocol: {}", word), "write protocols = imap lmtp");
        });
        for_words(root, "syslog_facility", [&](std::string_view word, const Value& value) {
            if (!has_word(kFacilities, word))
                error(value.place, fmt::format("Unknown syslog_facility: {}", word), "write syslog_facility = mail");
        });
        check_verbose_passwords(root);
        check_app_passwords(root);
        for (const auto& block : root.blocks) check_block(*block);
    }

private:
    void error(Place place, std::string text, std::string hint) {
        out_.push_back({Severity::Error, config_.origin(place), std::move(text), std::move(hint)});
    }

    template <typename Each>
    void for_words(const Block& root, std::string_view setting, Each each) {
        const Value* value = root.find(*find_setting(BlockKind::Root, setting));
        if (value == nullptr || !value->is_set) return;
        for (auto word : split_words(value->text)) each(word, *value);
    }

    // Those of Dovecot, and whatever a configured service serves.
    bool is_protocol(std::string_view word) const {
        if (has_word(kProtocols, word)) return true;
        auto row = *find_setting(BlockKind::Service, "protocol");
        return std::ranges::any_of(config_.scopes[0]->root.blocks, [&](const auto& block) {
            const Value* value = block->kind == BlockKind::Service ? block->find(row) : nullptr;
            return value != nullptr && value->text == word;
        });
    }

    void check_verbose_passwords(const Block& root) {
        for_words(root, "auth_verbose_passwords", [&](std::string_view word, const Value& value) {
            auto kind = word.substr(0, word.find(':'));
            const char* hint = "write no, plain, sha1 or sha1:6";
            if (!has_word("no yes plain sha1", kind)) error(value.place, "auth_verbose_passwords: Invalid value", hint);
            else if (kind.size() != word.size() && !parse_uint32(word.substr(kind.size() + 1)))
                error(value.place,
                      fmt::format("auth_verbose_passwords: Invalid truncation number: '{}'",
                                  word.substr(kind.size() + 1)),
                      hint);
        });
    }

    // A rule that nobody could follow would lock everybody out.
    void check_app_passwords(const Block& root) {
        const std::string& path = text_of(root, "auth_app_passwords");
        const std::string& rule = text_of(root, "auth_app_password_required");
        if (!path.empty() && !path.starts_with('/'))
            error(root.find(*find_setting(root.kind, "auth_app_passwords"))->place,
                  fmt::format("auth_app_passwords: not an absolute path: {}", path),
                  "write auth_app_passwords = /var/lib/dovecot/app-passwords.sqlite");
        if (path.empty() && !rule.empty() && rule != "no")
            error(root.find(*find_setting(root.kind, "auth_app_password_required"))->place,
                  "auth_app_password_required: there are no app passwords without auth_app_passwords",
                  "write auth_app_passwords = /var/lib/dovecot/app-passwords.sqlite");
    }

    static const std::string& text_of(const Block& block, std::string_view name) {
        static const std::string empty;
        const Value* value = block.find(*find_setting(block.kind, name));
        return value == nullptr ? empty : value->text;
    }

    void check_block(const Block& block) {
        if (block.kind == BlockKind::Namespace) return check_namespace(block);
        if (block.kind == BlockKind::PassDb || block.kind == BlockKind::UserDb) {
            if (text_of(block, "driver").empty())
                error(block.place, fmt::format("{} is missing driver", block_spec(block.kind).name),
                      "write driver = passwd-file in the block");
        } else if (block.kind == BlockKind::Metric) {
            if (block.name.empty()) error(block.place, "Metric name can't be empty", "write metric NAME {");
            else if (text_of(block, "filter").empty())
                error(block.place, fmt::format("metric {} {{ filter }} is empty - will not match anything", block.name),
                      "write filter = event=... in the block, or remove it");
        } else if (block.kind == BlockKind::Service) {
            if (block.name.empty()) error(block.place, "Service is missing name", "write service NAME {");
            for (auto word : split_words(text_of(block, "type")))
                if (!has_word("log config anvil login startup worker", word))
                    error(block.place, fmt::format("Unknown service type: {}", word), "remove the type");
        }
    }

    void check_namespace(const Block& block) {
        if (text_of(block, "separator").size() > 1)
            error(block.find(*find_setting(block.kind, "separator"))->place,
                  fmt::format("Namespace '{}': Hierarchy separator must be only one character long",
                              text_of(block, "prefix")),
                  "write separator = / or separator = .");
        for (const auto& child : block.blocks)
            for (auto word : split_words(text_of(*child, "special_use")))
                if (!has_word(kSpecialUses, word))
                    error(child->find(*find_setting(BlockKind::Mailbox, "special_use"))->place,
                          fmt::format("mailbox {}: unknown special_use: {}", child->name, word),
                          fmt::format("write one of {} (one backslash, no quotes)", kSpecialUses));
    }

    const Config& config_;
    std::vector<Diagnostic>& out_;
};

}  // namespace

void cross_check(const Config& config, std::vector<Diagnostic>& out) {
    CrossCheck check(config, out);
    for (const auto& scope : config.scopes) check.check(scope->root);
}

}  // namespace culver::config
