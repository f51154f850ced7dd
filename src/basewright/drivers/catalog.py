"""The table of drivers, in the order of the strategy's names."""

from basewright.drivers.build_performance import BUILD_PERFORMANCE
from basewright.drivers.driver import Driver
from basewright.drivers.image_size import IMAGE_SIZE
from basewright.drivers.package_availability import PACKAGE_AVAILABILITY
from basewright.drivers.resource_efficiency import RESOURCE_EFFICIENCY
from basewright.drivers.runtime_performance import RUNTIME_PERFORMANCE
from basewright.drivers.security_posture import SECURITY_POSTURE
from basewright.drivers.update_frequency import UPDATE_FREQUENCY
from basewright.strategy import DriverName

DRIVERS: dict[DriverName, Driver] = {
    driver.name: driver
    for driver in (
        IMAGE_SIZE,
        SECURITY_POSTURE,
        BUILD_PERFORMANCE,
        RUNTIME_PERFORMANCE,
        PACKAGE_AVAILABILITY,
        UPDATE_FREQUENCY,
        RESOURCE_EFFICIENCY,
    )
}
