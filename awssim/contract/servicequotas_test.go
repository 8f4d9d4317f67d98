package contract_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"kargo.dev/kargo/awssim/quota"
)

// TestQuotaIncrease runs into a quota of EC2, raises it and gets on.
func TestQuotaIncrease(t *testing.T) {
	sim := startWith(t, t.TempDir(), 0.1, withEC2(0, nil))
	ctx, config := t.Context(), sim.account(t, shopID)
	c, nets := servicequotas.NewFromConfig(config), ec2.NewFromConfig(config)
	vpcs := &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("vpc"), QuotaCode: aws.String(quota.VPCs)}
	value := func(want float64) {
		t.Helper()
		q := must[*servicequotas.GetServiceQuotaOutput](t)(c.GetServiceQuota(ctx, vpcs)).Quota
		if *q.Value != want || *q.QuotaName != "VPCs per Region" || !q.Adjustable || !strings.HasSuffix(*q.QuotaArn, ":"+shopID+":vpc/L-F678F1CE") {
			t.Errorf("the quota is %v, want %v: %+v", *q.Value, want, q)
		}
	}
	create := func() error {
		_, err := nets.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
		return err
	}
	value(5)
	do(t, sim, http.MethodPost, "/_awssim/quotas", `{"account": "`+shopID+`", "region": "`+region+`", "code": "L-F678F1CE", "value": 1}`, nil)
	value(1)
	wantCode(t, create(), "")
	wantCode(t, create(), "VpcLimitExceeded")
	raise := func(to float64) (*servicequotas.RequestServiceQuotaIncreaseOutput, error) {
		return c.RequestServiceQuotaIncrease(ctx, &servicequotas.RequestServiceQuotaIncreaseInput{ServiceCode: vpcs.ServiceCode, QuotaCode: vpcs.QuotaCode, DesiredValue: &to})
	}
	_, err := raise(1)
	wantCode(t, err, "IllegalArgumentException")
	asked := must[*servicequotas.RequestServiceQuotaIncreaseOutput](t)(raise(2)).RequestedQuota
	_, err = raise(3)
	wantCode(t, err, "ResourceAlreadyExistsException")
	status := func(want types.RequestStatus) {
		t.Helper()
		got := must[*servicequotas.GetRequestedServiceQuotaChangeOutput](t)(c.GetRequestedServiceQuotaChange(ctx,
			&servicequotas.GetRequestedServiceQuotaChangeInput{RequestId: asked.Id})).RequestedQuota
		if got.Status != want || *got.DesiredValue != 2 {
			t.Errorf("the request is %+v, want %s", got, want)
		}
		list := must[*servicequotas.ListRequestedServiceQuotaChangeHistoryOutput](t)(c.ListRequestedServiceQuotaChangeHistory(ctx,
			&servicequotas.ListRequestedServiceQuotaChangeHistoryInput{ServiceCode: aws.String("vpc"), Status: want})).RequestedQuotas
		if len(list) != 1 || *list[0].Id != *asked.Id {
			t.Errorf("requests that are %s: %+v", want, list)
		}
	}
	status(types.RequestStatusPending)
	wantCode(t, create(), "VpcLimitExceeded")
	sim.clock.forward(181 * time.Second) // a tenth of the half hour that AWS takes
	status(types.RequestStatusApproved)
	value(2)
	wantCode(t, create(), "")
}

func TestQuotaLists(t *testing.T) {
	sim := start(t)
	ctx, c := t.Context(), servicequotas.NewFromConfig(sim.account(t, shopID))
	codes := map[string]float64{}
	for p := servicequotas.NewListServiceQuotasPaginator(c, &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String("eks"), MaxResults: aws.Int32(1)}); p.HasMorePages(); {
		for _, q := range must[*servicequotas.ListServiceQuotasOutput](t)(p.NextPage(ctx)).Quotas {
			codes[*q.QuotaCode] = *q.Value
		}
	}
	if len(codes) != 3 || codes[quota.Clusters] != 100 || codes[quota.NodeGroupsPerCluster] != 30 {
		t.Errorf("quotas of EKS: %v", codes)
	}
	byDefault := must[*servicequotas.GetAWSDefaultServiceQuotaOutput](t)(c.GetAWSDefaultServiceQuota(ctx,
		&servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: aws.String("ec2"), QuotaCode: aws.String(quota.StandardVCPUs)})).Quota
	if *byDefault.Value != 5 {
		t.Errorf("AWS's default of vCPUs is %v", *byDefault.Value)
	}
	defaults := must[*servicequotas.ListAWSDefaultServiceQuotasOutput](t)(c.ListAWSDefaultServiceQuotas(ctx, &servicequotas.ListAWSDefaultServiceQuotasInput{ServiceCode: aws.String("vpc")})).Quotas
	services := must[*servicequotas.ListServicesOutput](t)(c.ListServices(ctx, &servicequotas.ListServicesInput{})).Services
	if len(defaults) < 10 || len(services) != 4 {
		t.Errorf("%d quotas of VPCs, %d services", len(defaults), len(services))
	}
	for name, in := range map[string]*servicequotas.GetServiceQuotaInput{
		"Code":    {ServiceCode: aws.String("vpc"), QuotaCode: aws.String("L-00000000")},
		"Service": {ServiceCode: aws.String("eks"), QuotaCode: aws.String(quota.VPCs)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.GetServiceQuota(ctx, in)
			wantCode(t, err, "NoSuchResourceException")
		})
	}
}
