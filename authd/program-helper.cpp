#include "authd/program-helper.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "authd/program-run.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr unsigned kBackstopSeconds = 65;  // beyond the program's own time

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) {
        if (!out.empty()) out += '\t';
        out += tab_escape(text);
    }
    return out;
}

std::vector<std::string> parted(std::string_view line) {
    std::vector<std::string> out;
    if (line.empty()) return out;
    for (std::string_view text : split(line, '\t')) out.push_back(tab_unescape(text));
    return out;
}

int number(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

HelperAnswer answer(std::string_view question) {
    ProgramResult result;
    auto lines = split(question, '\n');
    if (lines.size() == 3) {
        ProgramCall call;
        call.words = parted(lines[0]);
        call.environment = parted(lines[1]);
        std::string input = tab_unescape(lines[2]);
        call.input = SecretString(input);
        ::explicit_bzero(input.data(), input.size());
        result = run_program(call, {});
    }
    return {fmt::format("{}\t{}\t{}\t{}\t{}", static_cast<int>(result.end), result.code, result.pid,
                        tab_escape(result.output), tab_escape(result.errors))};
}
}  // namespace

HelperKind program_helpers(std::function<bool()> prepare, std::size_t at_once) {
    return {"auth-program", std::move(prepare), answer, kBackstopSeconds, at_once};
}

Result<ProgramResult> HelperProgramRunner::run(const ProgramCall& call) {
    std::string question = joined(call.words) + '\n' + joined(call.environment) + '\n';
    std::string input = tab_escape(call.input.reveal());
    question += input;
    ::explicit_bzero(input.data(), input.size());
    auto bytes = helpers_.ask(kind_, question);
    ::explicit_bzero(question.data(), question.size());
    if (!bytes) return fail(bytes.error().code, call.words.front() + ": " + bytes.error().detail);
    auto fields = split(*bytes, '\t');
    if (fields.size() != 5) return fail(ErrorCode::Unavailable, "a helper process gave a broken answer");
    ProgramResult result;
    result.end = static_cast<ProgramResult::End>(number(fields[0]));
    result.code = number(fields[1]);
    result.pid = number(fields[2]);
    result.output = tab_unescape(fields[3]);
    result.errors = tab_unescape(fields[4]);
    ::explicit_bzero(bytes->data(), bytes->size());
    return result;
}

}  // namespace culver
