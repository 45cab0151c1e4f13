#include "catalog.h"

#include <math.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct catalog_route api_routes[] = {
    {EVENT_METHOD_GET, "/api/v1/products", 0.34, 0.045, 0.55, 200},
    {EVENT_METHOD_GET, "/api/v1/products/{id}", 0.30, 0.032, 0.55, 200},
    {EVENT_METHOD_GET, "/api/v1/search", 0.16, 0.085, 0.45, 200},
    {EVENT_METHOD_POST, "/api/v1/orders", 0.12, 0.105, 0.40, 201},
    {EVENT_METHOD_GET, "/api/v1/orders/{id}", 0.08, 0.040, 0.55, 200},
};

static const struct catalog_route auth_routes[] = {
    {EVENT_METHOD_POST, "/auth/login", 0.30, 0.090, 0.40, 200},
    {EVENT_METHOD_POST, "/auth/token/refresh", 0.45, 0.040, 0.50, 200},
    {EVENT_METHOD_GET, "/auth/userinfo", 0.20, 0.030, 0.50, 200},
    {EVENT_METHOD_DELETE, "/auth/sessions/{id}", 0.05, 0.030, 0.50, 204},
};

static const struct catalog_route payment_routes[] = {
    {EVENT_METHOD_POST, "/payments", 0.50, 0.095, 0.38, 201},
    {EVENT_METHOD_GET, "/payments/{id}", 0.30, 0.045, 0.50, 200},
    {EVENT_METHOD_POST, "/payments/{id}/capture", 0.12, 0.105, 0.36, 200},
    {EVENT_METHOD_POST, "/payments/{id}/refund", 0.08, 0.105, 0.36, 200},
};

static const struct catalog_route inventory_routes[] = {
    {EVENT_METHOD_GET, "/inventory/items/{id}", 0.48, 0.040, 0.55, 200},
    {EVENT_METHOD_GET, "/inventory/items", 0.24, 0.080, 0.45, 200},
    {EVENT_METHOD_POST, "/inventory/reservations", 0.18, 0.090, 0.42, 201},
    {EVENT_METHOD_PUT, "/inventory/items/{id}", 0.10, 0.065, 0.45, 200},
};

static const struct catalog_service services[SERVICE_COUNT] = {
    {"api-service", 0.45, 0.0004, 0.020, {404, 400, 429}, "inventory-service", api_routes, COUNT(api_routes)},
    {"auth-service", 0.25, 0.0008, 0.040, {401, 403, 429}, "user database", auth_routes, COUNT(auth_routes)},
    {"payment-service",
     0.12,
     0.0030,
     0.015,
     {402, 409, 422},
     "payment gateway",
     payment_routes,
     COUNT(payment_routes)},
    {"inventory-service",
     0.18,
     0.0010,
     0.020,
     {404, 409, 400},
     "stock database",
     inventory_routes,
     COUNT(inventory_routes)},
};

static const struct catalog_region regions[REGION_COUNT] = {
    {"us-east-1", 0.42, -5},
    {"eu-west-1", 0.34, 1},
    {"ap-southeast-1", 0.24, 8},
};

const struct catalog_service *catalog_service(size_t service)
{
    return &services[service];
}

const struct catalog_region *catalog_region(size_t region)
{
    return &regions[region];
}

int catalog_find_service(const char *name)
{
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (strcmp(services[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int catalog_find_region(const char *name)
{
    for (int i = 0; i < REGION_COUNT; i++) {
        if (strcmp(regions[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

double catalog_day_curve(size_t region, int64_t unix_ms)
{
    const double two_pi = 6.283185307179586;
    double hour = fmod((double)unix_ms / 3.6e6 + regions[region].utc_offset_h, 24);
    return 0.65 + 0.35 * cos(two_pi * (hour - 16) / 24);
}
