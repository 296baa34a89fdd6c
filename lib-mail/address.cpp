#include "lib-mail/address.h"

#include "lib-mail/rfc822-reader.h"

namespace culver {

namespace {

using Step = Rfc822Reader::Step;

class AddressParser {
public:
    AddressParser(std::string_view value, std::vector<Address>& addresses) : reader_(value), addresses_(addresses) {}

    void list() {
        if (reader_.skip_blanks() != Step::More) return;
        while (addresses_.size() < kAddressLimit) {
            if (!group()) mailbox();
            if (!reader_.next_is(',')) return;
            reader_.advance();
            const Step blanks = reader_.skip_blanks();
            if (blanks == Step::Error)
                addresses_.push_back({std::nullopt, std::nullopt, "MISSING_MAILBOX", "MISSING_DOMAIN"});
            if (blanks != Step::More) return;
        }
    }

private:
    // name ":" mailboxes ";" - false, and nothing read, if it is none.
    bool group() {
        const std::size_t start = reader_.position();
        std::string name;
        if (reader_.phrase(name) != Step::More || !reader_.next_is(':')) {
            reader_.rewind(start);
            return false;
        }
        reader_.advance();
        addresses_.push_back({std::nullopt, std::nullopt, std::move(name), std::nullopt});
        if (reader_.skip_blanks() == Step::More && !reader_.next_is(';')) {
            while (addresses_.size() < kAddressLimit) {
                mailbox();
                if (!reader_.next_is(',')) break;
                reader_.advance();
                if (reader_.skip_blanks() != Step::More) break;
            }
        }
        if (reader_.next_is(';')) {
            reader_.advance();
            reader_.skip_blanks();
        }
        addresses_.emplace_back();
        return true;
    }

    void mailbox() {
        const std::size_t start = reader_.position();
        Address address;
        if (!name_and_angle(address)) {
            reader_.rewind(start);
            address = Address();
            plain(address);
        }
        if (!address.mailbox) address.mailbox = "MISSING_MAILBOX";
        if (!address.domain || address.domain->empty()) address.domain = "MISSING_DOMAIN";
        addresses_.push_back(std::move(address));
    }

    // [phrase] "<" … ">"
    bool name_and_angle(Address& address) {
        std::string name;
        if (reader_.phrase(name) != Step::More || !reader_.next_is('<')) return false;
        if (!name.empty()) address.name = std::move(name);
        if (!angle(address)) address.domain = "SYNTAX_ERROR";
        return true;
    }

    bool angle(Address& address) {
        reader_.advance();
        if (reader_.skip_blanks() != Step::More) return false;
        if (reader_.next_is('@')) {
            if (route(address) && reader_.next_is(':')) {
                reader_.advance();
            } else {
                address.route = "INVALID_ROUTE";
                if (reader_.at_end()) return false;
            }
            if (reader_.skip_blanks() != Step::More) return false;
        }
        if (!reader_.next_is('>')) {
            if (local_part(address) != Step::More) return false;
            if (reader_.next_is('@') && domain(address) != Step::More) return false;
        }
        if (!reader_.next_is('>')) return false;
        reader_.advance();
        return reader_.skip_blanks() != Step::Error;
    }

    // "@a,@b"
    bool route(Address& address) {
        std::string route;
        while (reader_.next_is('@')) {
            if (!route.empty()) route += ',';
            route += '@';
            if (reader_.domain(route) != Step::More) return false;
            while (reader_.skip_blanks() == Step::More && reader_.next_is(',')) reader_.advance();
        }
        if (reader_.at_end()) return false;
        address.route = std::move(route);
        return true;
    }

    // local-part ["@" domain], with the name in a comment, or words that are no address at all.
    void plain(Address& address) {
        reader_.last_comment.clear();
        const bool quoted = reader_.next_is('"');
        const Step local = local_part(address);
        const bool has_domain = local != Step::End && reader_.next_is('@');
        bool wrong = local != Step::More;
        if (has_domain) domain(address);
        if (!reader_.last_comment.empty()) {
            address.name = reader_.last_comment;
        } else if (!has_domain) {
            // One word is taken for a mailbox; if more words follow they are a name without an address.
            word_ += ' ';
            const std::size_t size = word_.size();
            reader_.phrase(word_);
            if (word_.size() != size) {
                address.mailbox = std::nullopt;
                address.name = word_;
            } else if (!quoted) {
                address.domain = "";
            }
            wrong = true;
        }
        if (wrong && !address.name && address.mailbox && !address.domain) {
            address.name = std::move(address.mailbox);
            address.mailbox = std::nullopt;
        }
    }

    Step local_part(Address& address) {
        word_.clear();
        const Step step = reader_.next_is('"') ? reader_.quoted_string(word_) : dots_and_atoms(word_);
        if (step != Step::Error) address.mailbox = word_;
        return step;
    }

    // Atoms with any number of dots between, before and behind them.
    Step dots_and_atoms(std::string& out) {
        Step step = Step::Error;
        do {
            while (reader_.next_is('.')) {
                out += '.';
                reader_.advance();
                if (reader_.at_end()) return Step::End;
                step = Step::More;
            }
            if (reader_.next_is('@')) break;
            step = reader_.atom(out);
        } while (step == Step::More && reader_.next_is('.'));
        return step;
    }

    Step domain(Address& address) {
        std::string domain;
        const Step step = reader_.domain(domain);
        if (step != Step::Error) address.domain = std::move(domain);
        return step;
    }

    Rfc822Reader reader_;
    std::vector<Address>& addresses_;
    std::string word_;
};

}  // namespace

void parse_addresses(std::string_view value, std::vector<Address>& addresses) {
    AddressParser(value, addresses).list();
}

}  // namespace culver
