// doveconf: shows and checks the configuration. All of it is in lib-config/print.h, for `dovecot -n` prints the same.
#include "lib-config/print.h"

int main(int argc, char** argv) { return culver::doveconf_main(argc, argv); }
