// LIST with its extensions, XLIST, LSUB. RFC 3501 §6.3.8, §6.3.9; RFC 5258 (LIST-EXTENDED); RFC 5819 (LIST-STATUS);
// RFC 6154 (SPECIAL-USE).
#include <algorithm>

#include "imapd/commands.h"
#include "imapd/session.h"
#include "imapd/status-items.h"
#include "lib-imap/parser.h"
#include "lib-imap/writer.h"

namespace culver {
namespace {

constexpr std::size_t kPatternLimit = 50;

// "(\A \B)" from the words that apply, in Dovecot's order.
class Attributes {
public:
    void add(std::string_view word, bool applies = true) {
        if (!applies) return;
        if (!words_.empty()) words_.push_back(' ');
        words_.append(word);
    }
    std::string text() const { return "(" + words_ + ")"; }

private:
    std::string words_;
};

void append_name(std::string& line, const ListEntry& entry) {
    line.push_back(' ');
    append_quoted(line, std::string(1, entry.separator));
    line.push_back(' ');
    append_mailbox(line, entry.name);
}

class List final : public Command {
public:
    void parse(Parser& in) override {
        if (in.next_is_list()) parse_selection(in);
        query_.reference = in.list_mailbox("Invalid reference");
        if (in.next_is_list()) {
            is_extended_ = true;
            in.open_list();
            while (in.more()) {
                query_.patterns.push_back(in.list_mailbox("Invalid pattern"));
                if (query_.patterns.size() > kPatternLimit) in.fail("Too many patterns");
            }
            in.close_list();
        } else {
            query_.patterns.push_back(in.list_mailbox("Invalid pattern"));
        }
        if (in.more()) parse_return(in);
        if (in.more()) in.fail("Extra arguments");
        if (!is_extended_) query_.return_children = query_.return_special_use = true;
        if (query_.select_special_use) query_.return_special_use = true;
        if (query_.select_subscribed) query_.return_subscribed = true;
    }

    Reply run(Session& session) override {
        const std::vector<ListEntry> entries = TRY_REPLY(session.user().list(query_));
        if (wants_status_ && status_.wants_modseq()) session.enable_condstore();
        for (const ListEntry& entry : entries) {
            tell(session, entry);
            if (wants_status_ && !entry.nonexistent && !entry.noselect) tell_status(session, entry);
            session.flush_if_large();
            if (session.is_gone()) break;
        }
        return Reply::ok("List completed.");
    }

private:
    void parse_selection(Parser& in) {
        is_extended_ = true;
        in.open_list();
        while (in.more()) {
            const std::string word = in.keyword("Unknown select options");
            if (word == "SUBSCRIBED") query_.select_subscribed = true;
            else if (word == "RECURSIVEMATCH") query_.select_recursive_match = true;
            else if (word == "SPECIAL-USE") query_.select_special_use = true;
            else if (word == "REMOTE") query_.select_remote = true;
            else in.fail("Unknown select options");
        }
        in.close_list();
        if (query_.select_recursive_match && !query_.select_subscribed && !query_.select_special_use)
            in.fail("RECURSIVEMATCH must not be the only selection");
    }

    void parse_return(Parser& in) {
        is_extended_ = true;
        if (!in.skip_atom("RETURN") || !in.next_is_list()) return in.fail("Extra arguments");
        in.open_list();
        while (in.more()) {
            const std::string word = in.keyword("Unknown return options");
            if (word == "SUBSCRIBED") query_.return_subscribed = true;
            else if (word == "CHILDREN") query_.return_children = true;
            else if (word == "SPECIAL-USE") query_.return_special_use = true;
            else if (word == "STATUS" && in.next_is_list()) {
                wants_status_ = true;
                status_.parse(in);
            } else in.fail("Unknown return options");
        }
        in.close_list();
    }

    void tell(Session& session, const ListEntry& entry) const {
        Attributes attributes;
        attributes.add("\\Subscribed", query_.return_subscribed && entry.subscribed);
        attributes.add("\\NonExistent", is_extended_ && entry.nonexistent);
        attributes.add("\\Noselect", entry.noselect || (!is_extended_ && entry.nonexistent));
        attributes.add("\\Noinferiors", entry.noinferiors);
        if (query_.return_children && entry.has_children && !entry.noinferiors)
            attributes.add(*entry.has_children ? "\\HasChildren" : "\\HasNoChildren");
        if (query_.return_special_use)
            for (const std::string& use : entry.special_use) attributes.add(use);
        std::string& line = session.out();
        line.append("* LIST ").append(attributes.text());
        append_name(line, entry);
        if (query_.select_recursive_match && entry.child_subscribed) line.append(" (CHILDINFO (\"SUBSCRIBED\"))");
        line.append("\r\n");
    }

    // A mailbox that vanished meanwhile, or cannot be read, has no STATUS line (RFC 5819 §2).
    void tell_status(Session& session, const ListEntry& entry) const {
        const auto status = session.user().status(MailboxName::from_disk(entry.name));
        if (status) status_.append_line(session.out(), entry.name, *status);
    }

    ListQuery query_;
    StatusItems status_;
    bool is_extended_ = false, wants_status_ = false;
};

class Lsub final : public Command {
public:
    void parse(Parser& in) override {
        query_.reference = in.list_mailbox("Invalid reference");
        query_.patterns.push_back(in.list_mailbox("Invalid pattern"));
        query_.select_subscribed = query_.select_recursive_match = true;
        query_.return_special_use = true;
    }

    Reply run(Session& session) override {
        const std::vector<ListEntry> entries = TRY_REPLY(session.user().list(query_));
        // A parent stands for its subscribed children only where the pattern cannot match those themselves.
        const bool tells_parents = query_.patterns[0].find('%') != std::string::npos;
        for (const ListEntry& entry : entries) {
            if (!entry.subscribed && !tells_parents) continue;
            Attributes attributes;
            attributes.add("\\Noselect", !entry.subscribed);
            for (const std::string& use : entry.special_use) attributes.add(use);
            std::string& line = session.out();
            line.append("* LSUB ").append(attributes.text());
            append_name(line, entry);
            line.append("\r\n");
            session.flush_if_large();
        }
        return Reply::ok("Lsub completed.");
    }

private:
    ListQuery query_;
};

}  // namespace

const CommandSpec kList = {"LIST", States::Authenticated, Effects::None, make_command<List>};
const CommandSpec kXlist = {"XLIST", States::Authenticated, Effects::None, make_command<List>};
const CommandSpec kLsub = {"LSUB", States::Authenticated, Effects::None, make_command<Lsub>};

}  // namespace culver
