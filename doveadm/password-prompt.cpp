#include "doveadm/password-prompt.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace culver::doveadm {

namespace {
constexpr std::size_t kLineLimit = 4096;
}

SecretString ask_password(std::string_view prompt) {
    const bool is_terminal = ::isatty(STDIN_FILENO);
    termios saved{};
    if (is_terminal) {
        std::fflush(stdout);
        std::fwrite(prompt.data(), 1, prompt.size(), stderr);
        ::tcgetattr(STDIN_FILENO, &saved);
        termios silent = saved;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    // Byte by byte: what stands behind this line belongs to the next question.
    std::string line;
    char c;
    while (line.size() < kLineLimit && ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') line += c;
    if (is_terminal) {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
        std::fputs("\n", stderr);
    } else if (line.ends_with('\r')) {
        line.pop_back();
    }
    SecretString password(line);
    ::explicit_bzero(line.data(), line.size());
    return password;
}

}  // namespace culver::doveadm
