/* A linked-in driver, and no NIF. It is loaded into the VM like one, and with -DCRASH dies like one. */
#include <stddef.h>

#include <erl_driver.h>

static int init(void)
{
#ifdef CRASH
    *(volatile int *)0 = 1;
#endif
    return 0;
}

static ErlDrvEntry entry = {
    .init = init,
    .driver_name = "driver",
    .extended_marker = (int)ERL_DRV_EXTENDED_MARKER,
    .major_version = ERL_DRV_EXTENDED_MAJOR_VERSION,
    .minor_version = ERL_DRV_EXTENDED_MINOR_VERSION,
};

DRIVER_INIT(driver)
{
    return &entry;
}
