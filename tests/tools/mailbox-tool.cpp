// mailbox-tool: drives lib-storage from a shell, for tests and measurements.
//
//   mailbox-tool dump DIR            UIDVALIDITY, UIDNEXT, GUID, then per message: uid, flags, keywords, date, size,
//   guid mailbox-tool append DIR N [flags...]   N messages through APPEND mailbox-tool deliver DIR N [size]
//   mailbox-tool store DIR UID +F|-F|=F ...  F: seen answered flagged deleted draft or a keyword
//   mailbox-tool expunge DIR
//   mailbox-tool bench DIR WHAT N    WHAT: deliver append store copy select scan
#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/text.h"
#include "lib-storage/mailbox-view.h"
#include "lib-storage/mailbox.h"

using namespace culver;

namespace {

constexpr std::pair<const char*, SystemFlag> kFlagNames[] = {
    {"answered", kAnswered}, {"flagged", kFlagged}, {"deleted", kDeleted}, {"seen", kSeen}, {"draft", kDraft}};

[[noreturn]] void die(const std::string& why) {
    std::fprintf(stderr, "mailbox-tool: %s\n", why.c_str());
    std::exit(1);
}

template <typename T>
T check(Result<T> result) {
    if (!result) die(result.error().detail);
    return std::move(*result);
}
void check(Status status) {
    if (!status) die(status.error().detail);
}

double cpu_seconds() {
    struct timespec now;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}
double wall_seconds() {
    struct timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void add_flag(std::string_view name, std::uint8_t& system, std::vector<std::string>& keywords) {
    for (const auto& [word, flag] : kFlagNames)
        if (name == word) {
            system |= flag;
            return;
        }
    keywords.emplace_back(name);
}

void dump(Mailbox& mailbox) {
    auto view = check(mailbox.open_view(Mailbox::Access::ReadOnly));
    auto status = check(mailbox.status());
    std::printf("uidvalidity %u\nuidnext %u\nguid %s\nhighestmodseq %llu\nmessages %u\n", status.uid_validity,
                status.uid_next.value, status.guid.c_str(),
                static_cast<unsigned long long>(status.highest_modseq.value), status.messages);
    auto keywords = mailbox.keywords();
    std::vector<MessageInfo> all;
    view->visit_all([&](Seq, const MessageInfo& info) { all.push_back(info); });
    for (const MessageInfo& info : all) {
        std::vector<std::string> flags;
        for (const auto& [word, flag] : kFlagNames)
            if ((info.flags.system & flag) != 0) flags.push_back(std::string("\\") + word);
        for (std::size_t i = 0; i < keywords.size(); ++i)
            if (info.flags.keywords.test(i)) flags.push_back(keywords[i]);
        std::printf("%u (%s) %lld %llu %s\n", info.uid.value, join(flags, " ").c_str(),
                    static_cast<long long>(info.internal_date),
                    static_cast<unsigned long long>(check(mailbox.virtual_size(info.uid))),
                    check(mailbox.message_guid(info.uid)).c_str());
    }
}

void save(Mailbox& mailbox, const std::string& text, const SaveOptions& options, SaveTransaction::Uids uids) {
    auto transaction = check(mailbox.begin_save());
    check(transaction->begin(options));
    check(transaction->write(text));
    check(transaction->end());
    check(transaction->commit(uids));
}

std::string message_of(std::size_t size) {
    std::string text = "From: a@example.org\r\nTo: b@example.org\r\nSubject: test\r\n\r\n";
    while (text.size() < size) text += "The quick brown fox jumps over the lazy dog.\r\n";
    return text;
}

void bench(MailboxCache& cache, const MailboxPaths& paths, const MailboxOptions& options, std::string_view what,
           unsigned n) {
    auto mailbox = check(cache.open(paths, options));
    const std::string text = message_of(4000);
    double cpu = cpu_seconds(), wall = wall_seconds();
    auto view = check(mailbox->open_view(Mailbox::Access::ReadOnly));
    if (what == "open") n = 1;
    for (unsigned i = 0; i < n; ++i) {
        if (what == "deliver") save(*mailbox, text, {}, SaveTransaction::Uids::NotTold);
        if (what == "append") save(*mailbox, text, {}, SaveTransaction::Uids::Durable);
        if (what == "store") {
            Uid uid = view->uid_at({i % view->exists() + 1});
            StoreChange change;
            change.operation = (i / view->exists()) % 2 == 0 ? FlagOperation::Add : FlagOperation::Remove;
            change.system = kFlagged;
            auto result = check(mailbox->store(std::span(&uid, 1), change));
            view->mark_told(result.changed, result.modseq);
            check(view->sync(MailboxView::Expunges::Hold));
        }
        if (what == "copy") {
            Uid uid = view->uid_at({1});
            check(mailbox->copy_to(*mailbox, std::span(&uid, 1)));
        }
        if (what == "select") check(mailbox->open_view(Mailbox::Access::ReadWrite));
        if (what == "scan") view->visit_all([](Seq, const MessageInfo&) {});
        if (what == "storeall") {
            std::vector<Uid> all;
            view->uids_in({{1}, {UINT32_MAX}}, all);
            StoreChange change;
            change.operation = i % 2 == 0 ? FlagOperation::Add : FlagOperation::Remove;
            change.system = kFlagged;
            check(mailbox->store(all, change));
        }
    }
    double spent = cpu_seconds() - cpu, took = wall_seconds() - wall;
    std::printf("%-8s n=%u cpu %.1f us each, wall %.1f us each", std::string(what).c_str(), n, spent / n * 1e6,
                took / n * 1e6);
    cache.flush();
    std::printf(", with flush cpu %.1f us\n", (cpu_seconds() - cpu) / n * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() < 2) die("usage: mailbox-tool COMMAND DIR ...");
    const std::string& directory = args[1];
    MailboxPaths paths{directory, directory, directory, directory};
    MailboxOptions options;
    options.user = "tool";
    if (std::getenv("CULVER_TOOL_NOSYNC") != nullptr) options.fsync = MailboxOptions::Fsync::Never;
    double cpu = cpu_seconds(), wall = wall_seconds();
    MailboxCache cache;
    auto mailbox = check(cache.open(paths, options));
    if (args[0] == "bench")
        std::printf("open     cpu %.1f ms, wall %.1f ms\n", (cpu_seconds() - cpu) * 1e3, (wall_seconds() - wall) * 1e3);
    if (args[0] == "dump") dump(*mailbox);
    if (args[0] == "append" || args[0] == "deliver") {
        SaveOptions save_options;
        unsigned count = args.size() > 2 ? parse_uint32(args[2]).value_or(1) : 1;
        std::size_t size = 200;
        for (std::size_t i = 3; i < args.size(); ++i) {
            if (args[0] == "append") add_flag(args[i], save_options.system, save_options.keywords);
            else size = parse_uint32(args[i]).value_or(200);
        }
        for (unsigned i = 0; i < count; ++i)
            save(*mailbox, message_of(size), save_options,
                 args[0] == "append" ? SaveTransaction::Uids::Durable : SaveTransaction::Uids::NotTold);
    }
    if (args[0] == "store" && args.size() > 3) {
        Uid uid{parse_uint32(args[2]).value_or(0)};
        for (std::size_t i = 3; i < args.size(); ++i) {
            StoreChange change;
            char sign = args[i].empty() ? '+' : args[i][0];
            change.operation = sign == '-'   ? FlagOperation::Remove
                               : sign == '=' ? FlagOperation::Replace
                                             : FlagOperation::Add;
            add_flag(std::string_view(args[i]).substr(1), change.system, change.keywords);
            check(mailbox->store(std::span(&uid, 1), change));
        }
    }
    if (args[0] == "expunge") check(mailbox->expunge({}));
    if (args[0] == "bench" && args.size() > 3) bench(cache, paths, options, args[2], parse_uint32(args[3]).value_or(1));
    mailbox.reset();
    return 0;
}
